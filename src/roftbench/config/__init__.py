"""Configuration files and overrides, checked and turned into a hashed job."""
