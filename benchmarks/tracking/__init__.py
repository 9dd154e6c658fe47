"""Tracking through an image sequence, against optical flow."""
