"""Reconstructions from tiepoint matches and from SIFT, with the same mapper."""
