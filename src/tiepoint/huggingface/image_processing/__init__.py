"""Image processors of LightGlue and SuperPoint: images to tensors, and outputs to px of the images."""
