"""Training reports and exported models."""
