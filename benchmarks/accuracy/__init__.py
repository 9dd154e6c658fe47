"""Accuracy of presets and baselines on all data sets."""
