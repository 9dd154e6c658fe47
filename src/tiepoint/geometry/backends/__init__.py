"""Robust estimators behind one interface: PoseLib, OpenCV, pycolmap, weighted DLT."""
