"""Selection of the image pairs to match: exhaustive, sequential, retrieval, spatial, lists."""
