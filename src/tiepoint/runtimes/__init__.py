"""Bundles written by `tiepoint export`, run without PyTorch: NumPy arrays in and out."""
