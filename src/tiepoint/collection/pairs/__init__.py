"""Selection of candidate image pairs: exhaustive, sequential, spatial, retrieval, lists."""
