"""Early stopping and pruning, layer by layer, on freely redistributable images."""
