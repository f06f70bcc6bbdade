"""Quality reports on data sets: duplicates, conflicts, leaks, and similarity of test to train."""
