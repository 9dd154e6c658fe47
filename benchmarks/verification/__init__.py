"""Pair verification: fit of its coefficients, and its accuracy on other scenes."""
