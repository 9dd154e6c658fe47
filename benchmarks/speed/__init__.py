"""Speed: matching, detection, whole pairs and the Hugging Face interface; scaling with keypoints and batch size."""
