"""A bound on the time of a pair: cost model of a machine, choice of keypoints and layers, and the clock of a pair."""
