"""Accuracy and time of options of presets: upscaling of small images, adaptive inference."""
