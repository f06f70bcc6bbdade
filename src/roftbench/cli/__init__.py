"""The commands of `roftbench`, one module each; all that prints."""
