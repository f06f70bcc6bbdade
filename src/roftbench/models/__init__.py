"""Pretrained encoders and the head on top of them."""
