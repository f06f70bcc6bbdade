"""Figures for papers: label curves and critical-difference diagrams."""
