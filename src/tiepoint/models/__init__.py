"""Pure torch: flat tensors in and out; no files, no images, no NumPy."""
