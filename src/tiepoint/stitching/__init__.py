"""Panoramas from matched images."""
