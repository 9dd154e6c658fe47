"""The page of tracks: tracks per frame, their lengths, and frames in the viewer with the tracks they share."""

import os
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tiepoint.html.charts import bar_chart
from tiepoint.html.embedding import EmbeddedImage, embed_image
from tiepoint.html.pair_page import check_page_path
from tiepoint.html.pair_viewers import PairViewers, estimate_for_page
from tiepoint.html.rendering import render_page, write_page
from tiepoint.image import Image
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Features
from tiepoint.video.tracks import Observations, Tracks

TEMPLATE = "tracks.html.jinja"
MAX_FRAMES = 12
MAX_SIDE, MAX_BYTES = 800, 120_000  # px and bytes of a frame
MAX_BARS = 300


@dataclass(slots=True)
class FrameSampler:
    """Keeps frames of a sequence of unknown length, evenly distributed.

    Every usable frame whose position is a multiple of `stride` is kept; when there are too many, the stride doubles.
    """

    max_frames: int = MAX_FRAMES
    stride: int = 1
    count: int = 0  # usable frames
    index: int = 0  # of the next frame in the sequence
    kept: list[tuple[int, EmbeddedImage]] = field(default_factory=list[tuple[int, EmbeddedImage]])

    def __call__(self, image: Image, observations: Observations) -> None:
        """Keep a usable frame, or leave it out.

        Args:
            image: Image of the frame.
            observations: Observations of the tracks; not used.
        """
        if self.count % self.stride == 0:
            self.kept.append((self.index, embed_image(image, max_side=MAX_SIDE, max_bytes=MAX_BYTES)))
        self.count += 1
        self.index += 1
        if len(self.kept) > 2 * self.max_frames:
            self.kept = self.kept[::2]
            self.stride *= 2

    def skip(self, problem: str) -> None:
        """Count a frame that is not usable."""
        self.index += 1

    def drop(self, count: int) -> None:
        """Count frames that a live source dropped."""
        self.index += count

    def frames(self) -> list[tuple[int, EmbeddedImage]]:
        """Return at most `max_frames` frames with their indices, the first and the last kept one included."""
        count = min(self.max_frames, len(self.kept))
        positions = np.linspace(0, len(self.kept) - 1, count).round().astype(int) if count else []
        return [self.kept[position] for position in positions]


def write_tracks_page(
    tracks: Tracks, frames: list[tuple[int, EmbeddedImage]], path: str | os.PathLike[str]
) -> Path:
    """Write the page of tracks, atomically.

    Args:
        tracks: Tracks of a sequence.
        frames: Frames to show, with their indices in ascending order.
        path: Output path, ending in .html or .htm.

    Returns:
        The path.

    Raises:
        InvalidInput: If the file cannot be written.
    """
    check_page_path(path)
    viewers = PairViewers()
    cards = [_card(viewers, tracks, *pair) for pair in pairwise(frames)]
    page = render_page(
        "tiepoint.video",
        TEMPLATE,
        title=f"Tracks of {Path(tracks.source).name}" if tracks.source else "Tracks",
        facts=_facts(tracks),
        charts=_charts(tracks),
        cards=cards,
        problems=tracks.problems,
        viewers=viewers,
    )
    return write_page(page, path)


def _facts(tracks: Tracks) -> list[tuple[str, str]]:
    lengths = tracks.lengths
    rows = [
        ("frames", f"{tracks.num_frames:,}"),
        ("frame size", "{} × {} px".format(*tracks.image_size)),
        ("tracks", f"{len(tracks):,}"),
        ("keyframes", f"{len(tracks.keyframes):,}"),
    ]
    if len(lengths):
        rows += [
            ("median length", f"{np.median(lengths):g} frames"),
            ("maximum", f"{lengths.max():,} frames"),
        ]
    return rows


def _charts(tracks: Tracks) -> list[tuple[str, Any]]:
    """Return title and chart of the tracks per frame and of their lengths."""
    per_frame = np.bincount(tracks.frames, minlength=tracks.num_frames)
    binned, marks, size = _binned(per_frame, tracks.keyframes)
    unit = "frame" if size == 1 else f"group of {size} frames"
    charts = [
        (
            f"Tracks per {unit}; keyframes are highlighted",
            bar_chart(binned, xlabel=unit, ylabel="tracks", marks=marks),
        )
    ]
    if len(tracks):
        counts, _, _ = _binned(np.bincount(tracks.lengths)[2:], ())
        charts.append(
            ("Lengths of the tracks", bar_chart(counts, xlabel="length in frames", ylabel="tracks", first=2))
        )
    return charts


def _binned(values: np.ndarray, marks: tuple[int, ...]) -> tuple[list[float], list[int], int]:
    """Average groups of consecutive values, so that a chart has at most `MAX_BARS` bars."""
    size = -(-len(values) // MAX_BARS) or 1
    means = [float(values[start : start + size].mean()) for start in range(0, len(values), size)]
    return means, sorted({mark // size for mark in marks}), size


def _card(
    viewers: PairViewers, tracks: Tracks, first: tuple[int, EmbeddedImage], second: tuple[int, EmbeddedImage]
) -> dict[str, Any]:
    """Add the pair of two frames, whose matches are the tracks that both observe."""
    frame0, frame1 = first[0], second[0]
    pictures = [viewers.add_picture(frame, image) for frame, image in (first, second)]
    result = _common_tracks(tracks, frame0, frame1)
    estimate, homography = estimate_for_page(result)
    pair = viewers.add_pair(result, *pictures, estimate=estimate, homography=homography)
    lines = [f"frames {frame0:,} and {frame1:,}", f"{len(result):,} common tracks"]
    return {"pictures": pictures, "pair": pair, "lines": lines}


def _common_tracks(tracks: Tracks, frame0: int, frame1: int) -> MatchResult:
    points = tracks.between(frame0, frame1)
    count = len(points[0])
    features = [
        Features(
            keypoints=torch.from_numpy(part),
            scores=torch.ones(count, dtype=torch.float32, device="cpu"),
            descriptors=torch.zeros(count, 0, dtype=torch.float32, device="cpu"),
            image_size=tracks.image_size,
            source=f"frame {frame}",
        )
        for frame, part in zip((frame0, frame1), points, strict=True)
    ]
    ones = torch.ones(count, dtype=torch.float32, device="cpu")
    indices = torch.arange(count, dtype=torch.int64, device="cpu")
    never = torch.zeros_like(indices)
    assignment = Assignment(
        matches=torch.stack((indices, indices), dim=1),
        scores=ones,
        matching_scores0=ones,
        matching_scores1=ones,
        prune0=never,
        prune1=never,
    )
    return MatchResult.from_assignment(features[0], features[1], assignment)
