"""Molecules in, labeled and packed graphs out: sources, featurizer, cache, splits."""
