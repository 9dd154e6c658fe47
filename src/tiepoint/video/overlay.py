"""Every frame with its points and the trails that they have left; a dark one where a frame can't be used."""

from collections import deque
from collections.abc import Callable

import numpy as np
import PIL.Image
import torch

from tiepoint.image import Image
from tiepoint.video.tracks import Observations
from tiepoint.visualization.tracks import draw_tracks

LENGTH = 10
"""Points of a trail; older ones fade from the picture, and from memory."""


class TrailDrawer:
    """Draw frame after frame.

    Args:
        write: takes each picture.
    """

    def __init__(self, write: Callable[[PIL.Image.Image], None]) -> None:
        self.write = write
        self._trails: dict[int, deque[np.ndarray]] = {}
        self._missed: dict[int, int] = {}
        self._size: tuple[int, int] | None = None
        self._waiting = 0  # frames that came before the first one that could be used

    def __call__(self, image: Image, observations: Observations) -> None:
        """Draw the tracks that were found in this frame; those that weren't stay hidden until they are.

        Args:
            image: the frame.
            observations: what was found in it.
        """
        if self._size is None:
            self._size = image.image_size
            for _ in range(self._waiting):
                self._write_dark(self._size)
        self._extend(observations)
        seen = {
            number: np.stack(list(self._trails[number]))
            for number in self._trails
            if self._missed[number] == 0
        }
        self.write(draw_tracks(image, seen, caption=f"{len(seen):,} tracks"))

    def pass_over(self, problem: str) -> None:
        """Hold the place of a frame that can't be used, so that the others keep their times."""
        if self._size is None:
            self._waiting += 1
        else:
            self._write_dark(self._size)

    def _write_dark(self, size: tuple[int, int]) -> None:
        dark = Image(pixels=torch.zeros(3, size[1], size[0], dtype=torch.uint8))
        self.write(draw_tracks(dark, {}, caption="passed over"))

    def _extend(self, observations: Observations) -> None:
        self._missed = {number: missed + 1 for number, missed in self._missed.items() if missed < LENGTH}
        self._trails = {number: self._trails[number] for number in self._missed}
        for number, point in zip(observations.track_ids.tolist(), observations.points, strict=True):
            self._trails.setdefault(number, deque(maxlen=LENGTH)).append(point)
            self._missed[number] = 0
