"""Track points through a video, a folder of frames, or a list of images.

    python examples/07_track_points_in_a_video.py A.jpg B.jpg ...

Also takes a video (with pip install "tiepoint[video]") or a folder. Without arguments, it crops a sliding window from
scikit-image's motorcycle, as if a camera panned. Writes tracks.npz.
"""

import sys

from skimage.data import stereo_motorcycle

import tiepoint

image = stereo_motorcycle()[0]
frames = sys.argv[1:] or [image[:, 60 * step : 60 * step + 420] for step in range(4)]

tracks = tiepoint.track(frames[0] if len(frames) == 1 else frames, max_keypoints=512)
print(f"{len(tracks)} tracks through {tracks.num_frames} frames, keyframes {tracks.keyframes}")
for problem in tracks.problems:
    print(problem)

if len(tracks):
    longest = tracks.lengths.argmax()
    where = tracks.track_ids == longest
    for frame, (x, y) in zip(tracks.frames[where], tracks.points[where], strict=True):
        print(f"track {longest} in frame {frame}: ({x:.1f}, {y:.1f})")

points0, points1 = tracks.between(0, 1)
print(f"{len(points0)} matches between the first two frames")
tracks.save("tracks.npz")
