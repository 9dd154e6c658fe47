"""Configurations: settings as mutable objects that are stored as JSON."""
