"""The version of roftbench, in one place."""

__version__ = "0.1.0"
