"""Trails drawn into frames."""

import PIL.Image
import torch

from tiepoint.image import Image
from tiepoint.video import Observations
from tiepoint.video.overlay import TrailDrawer


def test_skipped_frames_are_black_and_as_large_as_the_others():
    gray = Image(pixels=torch.full((3, 24, 32), 90, dtype=torch.uint8))
    drawn: list[PIL.Image.Image] = []
    drawer = TrailDrawer(drawn.append)
    drawer.skip("broken")
    drawer.skip("broken")
    assert drawn == []
    drawer(gray, Observations.joined([]))
    drawer.skip("broken")
    assert [picture.size for picture in drawn] == [(32, 24)] * 4
    assert [picture.getpixel((31, 23)) for picture in drawn] == [(n, n, n) for n in (0, 0, 90, 0)]


def test_the_previous_frame_is_held_for_dropped_ones():
    gray = Image(pixels=torch.full((3, 24, 32), 90, dtype=torch.uint8))
    drawn: list[PIL.Image.Image] = []
    held: list[int] = []
    for drawer in (TrailDrawer(drawn.append, held.append), TrailDrawer(drawn.append)):
        drawer(gray, Observations.joined([]))
        drawer.drop(3)
    assert (len(drawn), held) == (2, [3])
