"""Precision of matches against their score: fit of the calibration, and its precision on other scenes."""
