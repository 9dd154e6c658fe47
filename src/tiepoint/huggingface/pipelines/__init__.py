"""The keypoint-matching pipeline."""
