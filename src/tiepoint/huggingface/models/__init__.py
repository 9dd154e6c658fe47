"""Models and their checkpoints: PreTrainedModel, LightGlueForKeypointMatching, SuperPointForKeypointDetection."""
