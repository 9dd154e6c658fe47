"""track: keypoints followed through a whole sequence; and files of what came out."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.image import Image
from tiepoint.io.progress import Watch, unwatched
from tiepoint.io.serialization import check_output_path
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.video.encoding import DEFAULT_RATE, check_video, video_writer
from tiepoint.video.frames import FrameSource, read_frames, sequence_length, sequence_rate
from tiepoint.video.overlay import TrailDrawer
from tiepoint.video.tracker import Tracker
from tiepoint.video.tracks import Observations, Tracks

OnFrame: TypeAlias = Callable[[Image, Observations], None]
"""Called after every frame that could be used, with what was found in it."""

OnProblem: TypeAlias = Callable[[str], None]
"""Called in the place of a frame that could not be used, with the reason."""


def track(
    frames: FrameSource,
    *,
    preset: str = DEFAULT_PRESET,
    max_keypoints: int | None = 1024,
    resize: int | None = 640,
    min_share: float = 0.4,
    on_frame: OnFrame | None = None,
    on_problem: OnProblem | None = None,
    watch: Watch = unwatched,
    **options: Any,
) -> Tracks:
    """Follow keypoints through a video, a folder of frames, or a list of images.

    One frame is in memory at a time. A frame that is broken, or of another size than the first, keeps its number, is
    passed over, and is named in `Tracks.problems`.

    Args:
        frames: as for `read_frames`.
        preset: see `tiepoint presets`.
        max_keypoints: a frame.
        resize: longer side, in px, of what the extractor sees; points are px of the frames as they are.
        min_share: as for `Tracker`.
        on_frame: see `OnFrame`.
        on_problem: see `OnProblem`.
        watch: shows progress.
        **options: as for `tiepoint.load`.

    Raises:
        InvalidInput: there are no frames, or none that can be used; no such file; not a video.
        WeightsError: weights can't be found, fetched or loaded.
        MissingDependency: a video, and PyAV isn't installed.

    Example:
        >>> tracks = tiepoint.track("frames/")
        >>> len(tracks), tracks.lengths.max(), tracks.points[tracks.track_ids == 0]
    """
    if options.get("rotations") is not None:
        raise InvalidInput("track follows features and turns no frame, so rotations can't be used with it")
    images = iter(watch(read_frames(frames), sequence_length(frames)))
    tracker = Tracker(
        load(preset, max_keypoints=max_keypoints, resize=resize, **options), min_share=min_share
    )
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
    **options: Any,
) -> Tracks:
    """`track`, and write what came out; paths that can't be written are found out before the work.

    Args:
        frames: as for `track`.
        output: where to write the tracks; ends in .npz or .json.
        json: where to write them as JSON as well; ends in .json.
        video: where to write the frames with the trails of their points.
        rate: frames a second of that video; None: those of the video that came, else 10.
        **options: as for `track`.

    Raises:
        InvalidInput: as for `track`; or a file can't be written.
        WeightsError: as for `track`.
        MissingDependency: a video comes or goes, and PyAV isn't installed.
    """
    if (
        video is not None
        and isinstance(frames, str | os.PathLike)
        and Path(frames).resolve() == Path(video).resolve()
    ):
        raise InvalidInput(
            f"the overlay {video} would replace the video that is tracked; choose another name"
        )
    outputs = [check_output_path(output)] if output is not None else []
    outputs += [check_output_path(json, ".json")] if json is not None else []
    if video is None:
        tracks = track(frames, **options)
    else:
        with video_writer(check_video(video), rate or sequence_rate(frames) or DEFAULT_RATE) as write:
            drawer = TrailDrawer(write)
            tracks = track(frames, on_frame=drawer, on_problem=drawer.pass_over, **options)
    for path in outputs:
        tracks.save(path)
    return tracks


@dataclass(slots=True)
class _Sequence:
    """Frames in, observations out; what could not be used is kept in words."""

    tracker: Tracker
    on_problem: OnProblem | None = None
    image_size: tuple[int, int] | None = None
    problems: list[str] = field(default_factory=list)

    def follow(self, images: Iterator[Image | InvalidInput]) -> Iterator[tuple[Image, Observations]]:
        for image in images:
            if isinstance(image, InvalidInput):
                self._pass_over(str(image))
            elif self.image_size not in (None, image.image_size):
                self._pass_over(
                    "{} is {} x {} px, but the first frame is {} x {} px; scale it".format(
                        image.source or "it", *image.image_size, *self.image_size or ()
                    )
                )
            else:
                self.image_size = image.image_size
                yield image, self.tracker.step(image)

    def tracks(self, parts: list[Observations], source: str | None) -> Tracks:
        if self.image_size is None:
            raise InvalidInput(self._why_nothing())
        return Tracks.of(
            Observations.joined(parts),
            num_frames=self.tracker.num_frames,
            image_size=self.image_size,
            keyframes=tuple(self.tracker.keyframes),
            problems=tuple(self.problems),
            source=source,
        )

    def _pass_over(self, problem: str) -> None:
        self.problems.append(f"frame {self.tracker.num_frames} was passed over: {problem}")
        self.tracker.skip()
        if self.on_problem is not None:
            self.on_problem(problem)

    def _why_nothing(self) -> str:
        if not self.problems:
            return "expected a sequence of frames, but there are none in it; name a video, a folder of frames, or frames"
        return f"none of {len(self.problems)} frames can be used; {self.problems[0]}"
