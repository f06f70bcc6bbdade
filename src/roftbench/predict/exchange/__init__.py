"""Saved models in the formats of others: ONNX files, folders for model hubs."""
