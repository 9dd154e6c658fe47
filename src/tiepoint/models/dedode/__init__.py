"""DaD, a detector, and DeDoDe, descriptors of given keypoints: the features of LoMa."""
