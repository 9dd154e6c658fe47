"""LightGlue (arXiv 2306.13643): network, attention, inference, assignment, checkpoint key tables."""
