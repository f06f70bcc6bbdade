"""Files that are whole or absent: records, stages, tensors, downloads."""
