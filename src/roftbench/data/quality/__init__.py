"""The quality of a data set: duplicates, conflicts, leaks, and how near test is to train."""
