"""Stitching of overlapping images into panoramas, and registration of one image to another."""
