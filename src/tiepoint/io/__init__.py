"""Utilities for files, serialization, configuration and progress."""
