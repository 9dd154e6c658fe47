"""Frame rate of the viewer."""
