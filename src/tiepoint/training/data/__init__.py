"""Training data: homographic warps, COLMAP reconstructions, ground truth."""
