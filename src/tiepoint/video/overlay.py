"""Draw the tracked points and their trails into every frame; skipped frames become black."""

from collections import deque
from collections.abc import Callable

import numpy as np
import PIL.Image
import torch

from tiepoint.image import Image
from tiepoint.video.tracks import Observations
from tiepoint.visualization.tracks import draw_tracks

TRAIL_LENGTH = 10
# Maximum number of points per trail


class TrailDrawer:
    """Draws one frame at a time.

    Args:
        write: Function that receives each drawn frame.
        hold: Function that shows the previous frame longer, called with a number of frames; None ignores dropped frames.
    """

    def __init__(
        self, write: Callable[[PIL.Image.Image], None], hold: Callable[[int], None] | None = None
    ) -> None:
        self.write = write
        self.hold = hold
        self._trails: dict[int, deque[np.ndarray]] = {}
        self._missed: dict[int, int] = {}
        self._size: tuple[int, int] | None = None
        self._num_leading = 0  # skipped frames before the first usable one

    def __call__(self, image: Image, observations: Observations) -> None:
        """Draw the tracks that were observed in this frame.

        Args:
            image: Image of the frame.
            observations: Observations in the frame.
        """
        if self._size is None:
            self._size = image.image_size
            for _ in range(self._num_leading):
                self._write_black(self._size)
        self._extend(observations)
        visible = {
            number: np.stack(list(self._trails[number]))
            for number in self._trails
            if self._missed[number] == 0
        }
        self.write(draw_tracks(image, visible, caption=f"{len(visible):,} tracks"))

    def skip(self, problem: str) -> None:
        """Write a black frame for an unusable one, so that the others keep their timestamps."""
        if self._size is None:
            self._num_leading += 1
        else:
            self._write_black(self._size)

    def drop(self, count: int) -> None:
        """Show the previous frame longer, for frames that a live source dropped."""
        if self.hold is not None:
            self.hold(count)

    def _write_black(self, size: tuple[int, int]) -> None:
        black = Image(pixels=torch.zeros(3, size[1], size[0], dtype=torch.uint8, device="cpu"))
        self.write(draw_tracks(black, {}, caption="skipped"))

    def _extend(self, observations: Observations) -> None:
        self._missed = {
            number: missed + 1 for number, missed in self._missed.items() if missed < TRAIL_LENGTH
        }
        self._trails = {number: self._trails[number] for number in self._missed}
        for number, point in zip(observations.track_ids.tolist(), observations.points, strict=True):
            self._trails.setdefault(number, deque(maxlen=TRAIL_LENGTH)).append(point)
            self._missed[number] = 0
