"""Dry runs: what a training would do and cost, without the hub and without its weights."""
