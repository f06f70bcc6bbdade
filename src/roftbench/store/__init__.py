"""Files on disk: records, stages, tensors, downloads."""
