"""Fine-tuning methods, one file each: the difference from full fine-tuning and nothing else."""
