"""Pair selection: recall of image retrieval, memory and time of planning."""
