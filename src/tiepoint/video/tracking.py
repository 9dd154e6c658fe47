"""track: track keypoints through a sequence, and write the tracks to files."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias, Unpack

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.progress import Progress, no_progress, to_callback, track as track_progress
from tiepoint.io.serialization import check_output_path
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.types.options import NetworkOptions
from tiepoint.video.encoding import DEFAULT_RATE, check_video, video_writer
from tiepoint.video.frames import FrameSource, read_frames, sequence_length, sequence_rate
from tiepoint.video.overlay import TrailDrawer
from tiepoint.video.tracker import Tracker
from tiepoint.video.tracks import Observations, Tracks

OnFrame: TypeAlias = Callable[[Image, Observations], None]
# Called after every usable frame with its observations

OnProblem: TypeAlias = Callable[[str], None]
# Called for every skipped frame with the reason

DEFAULTS: NetworkOptions = {"max_keypoints": 1024, "resize": 640}
# Options of `tiepoint.load` that are different for tracking


def track(
    frames: FrameSource,
    *,
    preset: str = DEFAULT_PRESET,
    min_tracked: float = 0.4,
    on_frame: OnFrame | None = None,
    on_problem: OnProblem | None = None,
    progress: Progress = False,
    **options: Unpack[NetworkOptions],
) -> Tracks:
    """Track keypoints through a video, a folder of frames, or a list of images.

    One frame is in memory at a time. Frames that cannot be read, or have a different size than the first one, are skipped;
    they keep their index and are listed in `Tracks.problems`.

    Args:
        frames: Path of a video or of a folder of frames, or images.
        preset: Name of a preset, see `tiepoint presets`.
        min_tracked: Minimum fraction of the keyframe's keypoints that must be tracked, in [0, 1]; below it, a new
            keyframe is created.
        on_frame: Callback for every usable frame, called with its image and observations.
        on_problem: Callback for every skipped frame, called with the reason.
        progress: Whether to show bars on stderr, or a callback that shows the progress.
        **options: Options of `tiepoint.load`; the defaults of `max_keypoints` (1024) and `resize` (640) differ, and
            `rotations` is not supported.

    Raises:
        InvalidInput: If there are no usable frames, the file does not exist, or it is not a video.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If a video is given and PyAV is not installed.

    Example:
        >>> tracks = tiepoint.track("frames/")
        >>> len(tracks), tracks.lengths.max(), tracks.points[tracks.track_ids == 0]
    """
    if options.get("rotations") is not None:
        raise InvalidInput("rotations is not supported by track: frames are not rotated")
    callback = to_callback(progress)
    images = track_progress(
        read_frames(frames, options.get("stretch")), "tracking", callback, total=sequence_length(frames)
    )
    matcher = load(preset, progress=callback is not no_progress, **(DEFAULTS | options))
    tracker = Tracker(matcher, min_tracked=min_tracked)
    sequence = _Sequence(tracker, on_problem)
    parts = []
    for image, observations in sequence.follow(images):
        parts.append(observations)
        if on_frame is not None:
            on_frame(image, observations)
    return sequence.tracks(parts, os.fspath(frames) if isinstance(frames, str | os.PathLike) else None)


def track_to_files(
    frames: FrameSource,
    output: str | os.PathLike[str] | None = None,
    *,
    json: str | os.PathLike[str] | None = None,
    video: str | os.PathLike[str] | None = None,
    rate: Fraction | None = None,
    preset: str = DEFAULT_PRESET,
    min_tracked: float = 0.4,
    progress: Progress = False,
    **options: Unpack[NetworkOptions],
) -> Tracks:
    """Call `track` and write the tracks; output paths are validated before starting.

    Args:
        frames: Path of a video or of a folder of frames, or images.
        output: Path of the tracks (.npz or .json).
        json: Path of an additional JSON file of the tracks (.json).
        video: Path of a video of the frames with the trails of their points.
        rate: Frame rate of that video in frames per second; None uses that of the input video, else 10.
        preset: Name of a preset.
        min_tracked: Minimum fraction of the keyframe's keypoints that must be tracked.
        progress: Whether to show bars on stderr, or a callback that shows the progress.
        **options: Options of `tiepoint.load`, as for `track`.

    Raises:
        InvalidInput: If an output file cannot be written, and for the reasons of `track`.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If a video is read or written and PyAV is not installed.
    """
    check_overwrites((output, json, video), frames if isinstance(frames, list | tuple) else (frames,))
    outputs = [check_output_path(output)] if output is not None else []
    outputs += [check_output_path(json, ".json")] if json is not None else []

    def run(on_frame: OnFrame | None = None, on_problem: OnProblem | None = None) -> Tracks:
        return track(
            frames,
            preset=preset,
            min_tracked=min_tracked,
            on_frame=on_frame,
            on_problem=on_problem,
            progress=progress,
            **options,
        )

    if video is None:
        tracks = run()
    else:
        with video_writer(check_video(video), rate or sequence_rate(frames) or DEFAULT_RATE) as write:
            drawer = TrailDrawer(write)
            tracks = run(drawer, drawer.skip)
    for path in outputs:
        tracks.save(path)
    return tracks


@dataclass(slots=True)
class _Sequence:
    """Tracks the usable frames of a sequence and records why others were skipped."""

    tracker: Tracker
    on_problem: OnProblem | None = None
    image_size: tuple[int, int] | None = None
    problems: list[str] = field(default_factory=list)

    def follow(self, images: Iterator[Image | InvalidInput]) -> Iterator[tuple[Image, Observations]]:
        for image in images:
            if isinstance(image, InvalidInput):
                self._skip(str(image))
            elif self.image_size not in (None, image.image_size):
                sizes = (*(self.image_size or ()), *image.image_size)
                name = image.source or "the frame"
                self._skip(
                    "expected {} x {} px like the first frame, got {} x {} px; resize {}".format(*sizes, name)
                )
            else:
                self.image_size = image.image_size
                yield image, self.tracker.step(image)

    def tracks(self, parts: list[Observations], source: str | None) -> Tracks:
        if self.image_size is None:
            raise InvalidInput(self._reason_unusable())
        return Tracks.of(
            Observations.joined(parts),
            num_frames=self.tracker.num_frames,
            image_size=self.image_size,
            keyframes=tuple(self.tracker.keyframes),
            problems=tuple(self.problems),
            source=source,
        )

    def _skip(self, problem: str) -> None:
        self.problems.append(f"frame {self.tracker.num_frames} was skipped: {problem}")
        self.tracker.skip()
        if self.on_problem is not None:
            self.on_problem(problem)

    def _reason_unusable(self) -> str:
        if not self.problems:
            return "expected a sequence of frames, got none; use a video, a folder of frames, or a list of frames"
        return f"none of the {len(self.problems)} frames is usable; {self.problems[0]}"
