"""track: track keypoints through a sequence, and write the tracks to files."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol, TypeAlias, Unpack, runtime_checkable

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.html.pair_page import check_page_path
from tiepoint.image import Image
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.progress import (
    Progress,
    ProgressCallback,
    no_progress,
    to_callback,
    track as track_progress,
)
from tiepoint.io.serialization import check_output_path
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.types.options import LoadOptions, NetworkOptions
from tiepoint.video.encoding import DEFAULT_RATE, check_video, video_writer
from tiepoint.video.frames import Frames, FrameSource, ReadOptions, never, open_frames
from tiepoint.video.html_report import FrameSampler, write_tracks_page
from tiepoint.video.overlay import TrailDrawer
from tiepoint.video.tracker import Tracker
from tiepoint.video.tracks import Observations, Tracks

OnFrame: TypeAlias = Callable[[Image, Observations], None]
# Called after every usable frame with its observations

OnProblem: TypeAlias = Callable[[str], None]
# Called for every skipped frame with the reason

OnDropped: TypeAlias = Callable[[int], None]
# Called with the number of frames of a live source that were dropped before the next one

READ_ALL = ReadOptions()

DEFAULTS: NetworkOptions = {"max_keypoints": 1024, "resize": 640}
# Options of `tiepoint.load` that are different for tracking


def track(
    frames: FrameSource,
    *,
    preset: str = DEFAULT_PRESET,
    min_tracked: float = 0.4,
    live: bool | None = None,
    max_frames: int | None = None,
    max_seconds: float | None = None,
    latency_budget_ms: float | None = None,
    input_options: Mapping[str, str] | None = None,
    should_stop: Callable[[], bool] = never,
    on_frame: OnFrame | None = None,
    on_problem: OnProblem | None = None,
    on_dropped: OnDropped | None = None,
    progress: Progress = False,
    **options: Unpack[NetworkOptions],
) -> Tracks:
    """Track keypoints through a video, a camera, a stream, a folder of frames, or a list of images.

    One frame is in memory at a time. Frames that cannot be read, or have a different size than the first one, are skipped;
    they keep their index and are listed in `Tracks.problems`. Of a live source the newest frame is tracked; frames that
    arrive meanwhile are dropped, keep their index, and are counted in `Tracks.num_dropped`.

    Args:
        frames: Path or URL of a video, index of a camera, path of a folder of frames, or images.
        preset: Name of a preset, see `tiepoint presets`.
        min_tracked: Minimum fraction of the keyframe's keypoints that must be tracked, in [0, 1]; below it, a new
            keyframe is created.
        live: Whether to drop frames to keep up; a file is then played at its frame rate. None: only for cameras,
            streams, and URLs whose video declares no duration.
        max_frames: Maximum number of frames to track; None tracks all.
        max_seconds: Maximum time in s from the first frame, for live sources; None has no limit.
        latency_budget_ms: Bound on the time of each frame in ms, from decoded pixels to matches, as for
            `tiepoint.load`; None for no limit.
        input_options: Options of FFmpeg's demuxer and protocol for videos, for example `{"video_size": "1280x720"}`.
        should_stop: Called before every frame, and while waiting for one; True ends the tracking.
        on_frame: Callback for every usable frame, called with its image and observations.
        on_problem: Callback for every skipped frame, called with the reason.
        on_dropped: Callback before a frame, called with the number of frames that were dropped before it.
        progress: Whether to show bars on stderr, or a callback that shows the progress.
        **options: Options of `tiepoint.load`; the defaults of `max_keypoints` (1024) and `resize` (640) differ, and
            `views` is not supported.

    Raises:
        InvalidInput: If there are no usable frames, the file or camera does not exist, the URL cannot be opened, or it is
            not a video; or the latency budget is below the smallest time for these frames.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If a video is given and PyAV is not installed.

    Example:
        >>> tracks = tiepoint.track("frames/")
        >>> len(tracks), tracks.lengths.max(), tracks.points[tracks.track_ids == 0]
    """
    _check_views(options)
    reading = ReadOptions(
        live=live,
        max_frames=max_frames,
        max_seconds=max_seconds,
        input_options=input_options or {},
        should_stop=should_stop,
    )
    callbacks = _Callbacks(on_frame, on_problem, on_dropped)
    with open_frames(frames, options.get("stretch"), reading) as opened:
        load_options: LoadOptions = {**options, "latency_budget_ms": latency_budget_ms}
        return _track(opened, preset, min_tracked, callbacks, progress, load_options)


def track_to_files(
    frames: FrameSource,
    output: str | os.PathLike[str] | None = None,
    *,
    json: str | os.PathLike[str] | None = None,
    video: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    rate: Fraction | None = None,
    preset: str = DEFAULT_PRESET,
    min_tracked: float = 0.4,
    latency_budget_ms: float | None = None,
    reading: ReadOptions = READ_ALL,
    progress: Progress = False,
    **options: Unpack[NetworkOptions],
) -> Tracks:
    """Call `track` and write the tracks; output paths are validated before starting.

    Args:
        frames: Path or URL of a video, index of a camera, path of a folder of frames, or images.
        output: Path of the tracks (.npz or .json).
        json: Path of an additional JSON file of the tracks (.json).
        video: Path of a video of the frames with the trails of their points.
        report: Path of a page with tracks per frame, and frames in the interactive viewer (.html).
        rate: Frame rate of that video in frames per second; None uses that of the input video, else 10.
        preset: Name of a preset.
        min_tracked: Minimum fraction of the keyframe's keypoints that must be tracked.
        latency_budget_ms: Bound on the time of each frame in ms.
        reading: Options of reading the frames, as for `read_frames`.
        progress: Whether to show bars on stderr, or a callback that shows the progress.
        **options: Options of `tiepoint.load`, as for `track`.

    Raises:
        InvalidInput: If an output file cannot be written, and for the reasons of `track`.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If a video is read or written and PyAV is not installed.
    """
    _check_views(options)
    check_overwrites((output, json, video, report), frames if isinstance(frames, list | tuple) else (frames,))
    outputs = [check_output_path(output)] if output is not None else []
    outputs += [check_output_path(json, ".json")] if json is not None else []
    overlay = None if video is None else check_video(video)
    if report is not None:
        check_page_path(report)
    sampler = FrameSampler()
    load_options: LoadOptions = {**options, "latency_budget_ms": latency_budget_ms}
    with open_frames(frames, options.get("stretch"), reading) as opened, ExitStack() as stack:
        watchers: list[_Watcher] = [] if report is None else [sampler]
        if overlay is not None:
            write = stack.enter_context(video_writer(overlay, rate or opened.rate or DEFAULT_RATE))
            watchers.append(TrailDrawer(write, write.hold))
        tracks = _track(opened, preset, min_tracked, _call_all(watchers), progress, load_options)
    for path in outputs:
        tracks.save(path)
    if report is not None:
        write_tracks_page(tracks, sampler.frames(), report)
    return tracks


@dataclass(frozen=True, slots=True)
class _Callbacks:
    """Callbacks of `track`."""

    on_frame: OnFrame | None = None
    on_problem: OnProblem | None = None
    on_dropped: OnDropped | None = None


@runtime_checkable
class _Watcher(Protocol):
    """Object that is told about every frame of a sequence."""

    def __call__(self, image: Image, observations: Observations) -> None: ...

    def skip(self, problem: str) -> None: ...

    def drop(self, count: int) -> None: ...


def _call_all(watchers: Sequence[_Watcher]) -> _Callbacks:
    """Return callbacks that call all watchers."""

    def on_frame(image: Image, observations: Observations) -> None:
        for watcher in watchers:
            watcher(image, observations)

    def on_problem(problem: str) -> None:
        for watcher in watchers:
            watcher.skip(problem)

    def on_dropped(count: int) -> None:
        for watcher in watchers:
            watcher.drop(count)

    return _Callbacks(on_frame, on_problem, on_dropped)


def _track(
    frames: Frames,
    preset: str,
    min_tracked: float,
    callbacks: _Callbacks,
    progress: Progress,
    options: LoadOptions,
) -> Tracks:
    """Load the matcher and track an open sequence."""
    callback = to_callback(progress)
    chosen: LoadOptions = {**DEFAULTS, **options, "progress": callback is not no_progress}
    matcher = load(preset, **chosen)
    sequence = _Sequence(Tracker(matcher, min_tracked=min_tracked), frames, callbacks)
    parts = []
    for image, observations in sequence.follow(callback):
        parts.append(observations)
        if callbacks.on_frame is not None:
            callbacks.on_frame(image, observations)
    return sequence.tracks(parts)


def _check_views(options: NetworkOptions) -> None:
    if options.get("views") is not None:
        raise InvalidInput("views is not supported by track: frames are matched as they are")


@dataclass(slots=True)
class _Sequence:
    """Tracks the usable frames of a sequence and records why others were skipped."""

    tracker: Tracker
    frames: Frames
    callbacks: _Callbacks
    image_size: tuple[int, int] | None = None
    problems: list[str] = field(default_factory=list)

    def follow(self, progress: ProgressCallback) -> Iterator[tuple[Image, Observations]]:
        images = track_progress(self.frames, "tracking", progress, total=self.frames.length)
        for image in images:
            self._count_dropped()
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

    def _count_dropped(self) -> None:
        count = self.frames.num_dropped - self.tracker.num_dropped
        self.tracker.drop(count)
        if count and self.callbacks.on_dropped is not None:
            self.callbacks.on_dropped(count)

    def tracks(self, parts: list[Observations]) -> Tracks:
        if self.image_size is None:
            raise InvalidInput(self._reason_unusable())
        return Tracks.of(
            Observations.joined(parts),
            num_frames=self.tracker.num_frames,
            image_size=self.image_size,
            keyframes=tuple(self.tracker.keyframes),
            problems=tuple(self.problems),
            source=self.frames.name,
            num_dropped=self.tracker.num_dropped,
            seconds=self.frames.seconds,
        )

    def _skip(self, problem: str) -> None:
        self.problems.append(f"frame {self.tracker.num_frames} was skipped: {problem}")
        self.tracker.skip()
        if self.callbacks.on_problem is not None:
            self.callbacks.on_problem(problem)

    def _reason_unusable(self) -> str:
        if not self.problems:
            return "expected a sequence of frames, got none; use a video, a folder of frames, or a list of frames"
        return f"none of the {len(self.problems)} frames is usable; {self.problems[0]}"
