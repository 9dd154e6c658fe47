"""SuperPoint (arXiv 1712.07629): network and checkpoint key tables."""
