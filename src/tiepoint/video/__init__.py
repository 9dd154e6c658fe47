"""Keypoint tracking through image sequences; track ids persist across keyframe changes.

tracking   track: a complete sequence
tracker    Tracker: one frame at a time
tracks     Tracks: positions of tracked points per frame
frames     frames of a video, a folder or a list of images, read one at a time
decoding   reads videos with PyAV
encoding   writes videos with PyAV
overlay    draws the trails of tracked points
"""

from tiepoint.video.frames import FrameSource, read_frames
from tiepoint.video.tracker import Tracker
from tiepoint.video.tracking import track, track_to_files
from tiepoint.video.tracks import Observations, Tracks

__all__ = ["FrameSource", "Observations", "Tracker", "Tracks", "read_frames", "track", "track_to_files"]
