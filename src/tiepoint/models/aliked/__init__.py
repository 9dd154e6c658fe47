"""ALIKED (arXiv 2304.03608): network, feature map, deformable convolution."""
