"""Saved models and their predictions for new molecules."""
