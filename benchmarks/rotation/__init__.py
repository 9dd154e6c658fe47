"""Correct matches against in-plane rotation, with and without rotation search."""
