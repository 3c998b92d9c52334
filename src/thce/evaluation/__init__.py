"""Metrics, strata, baselines, error taxonomy, comparison and report.

Scoring (`metrics`, `hierarchy`, `validity`, `calibration`, `intervals`, `strata`, `taxonomy`, `score`, `compare`) works on test
files and prediction files alone; only `running` starts a model.
"""
