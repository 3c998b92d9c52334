"""Narratives: phrasebook, grammar, splits, sources, quality, and the examples made of them."""
