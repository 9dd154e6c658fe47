"""Reports, statistics and plots of a collection."""
