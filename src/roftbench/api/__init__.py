"""The Python API: one function for each task of the command line, and estimators for scikit-learn."""
