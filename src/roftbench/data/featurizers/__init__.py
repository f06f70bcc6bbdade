"""Molecular graphs from SMILES, in the forms that pretrained encoders read."""
