"""Keypoint tracking through image sequences; track ids persist across keyframe changes.

tracking   track: a complete sequence
tracker    Tracker: one frame at a time
tracks     Tracks: positions of tracked points per frame
frames     frames of a video, a camera, a folder or a list of images, read one at a time
live       newest frames of a camera or stream; others are dropped
decoding   reads videos with PyAV
opening    opens files, cameras and streams
sources    their addresses, and names without credentials
encoding   writes videos with PyAV
overlay    draws the trails of tracked points
"""

import lazy_loader

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
