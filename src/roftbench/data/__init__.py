"""Molecules in, labelled and packed graphs out: sources, featuriser, cache, splits."""
