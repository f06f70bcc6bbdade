"""Callbacks that write epochs and scores of jobs for TensorBoard, MLflow, Weights & Biases, or as CSV."""
