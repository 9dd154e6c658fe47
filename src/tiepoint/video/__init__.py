"""Keypoints followed through a video: tracks with numbers that live on when the keyframe changes.

tracking   track: a whole sequence
tracker    Tracker: frame after frame
tracks     Tracks: which point was where in which frame
frames     a video, a folder or single images, frame by frame, memory flat
decoding   reads videos with PyAV; encoding writes them
overlay    every frame with the trails of its points
"""

from tiepoint.video.frames import FrameSource, read_frames
from tiepoint.video.tracker import Tracker
from tiepoint.video.tracking import track, track_to_files
from tiepoint.video.tracks import Observations, Tracks

__all__ = ["FrameSource", "Observations", "Tracker", "Tracks", "read_frames", "track", "track_to_files"]
