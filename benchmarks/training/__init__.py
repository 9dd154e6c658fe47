"""Training: recipes on this machine, and the weights of the small preset."""
