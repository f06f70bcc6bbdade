"""roftbench: benchmark robust fine-tuning of pretrained molecular graph models (arXiv 2509.00614)."""

__version__ = "0.1.0"
