"""(Features, Features) -> Assignment: LightGlue, mutual nearest neighbors, in-plane rotation search."""
