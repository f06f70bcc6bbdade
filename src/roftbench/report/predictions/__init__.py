"""Predictions of single molecules: beside their labels, in a table, and in figures."""
