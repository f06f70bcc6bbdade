"""Paired tests, ranks and intervals over data sets and columns."""
