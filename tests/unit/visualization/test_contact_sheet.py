"""Trails end where the points are, in a color that stays; sheets hold every picture."""

import numpy as np
import torch

from tiepoint.image import Image
from tiepoint.visualization.colors import INLIER, OUTLIER, color_of
from tiepoint.visualization.contact_sheet import Cell, contact_sheet
from tiepoint.visualization.tracks import draw_tracks

GRAY = Image(pixels=torch.full((3, 120, 160), 90, dtype=torch.uint8))


def test_a_trail_ends_at_its_point_in_the_color_of_its_number():
    trails = {7: np.array([[20.0, 100.0], [100.0, 40.0]]), 8: np.array([[140.0, 100.0]])}
    picture = np.asarray(draw_tracks(GRAY, trails)).astype(int)
    assert np.abs(picture[40, 100] - color_of(7)).max() < 20
    assert np.abs(picture[100, 140] - color_of(8)).max() < 20
    assert np.abs(picture[70, 60] - 90).max() > 30, "the line between"
    assert (picture[5, 5] == 90).all()


def test_no_trails_are_the_frame_itself_and_large_frames_are_reduced():
    assert (np.asarray(draw_tracks(GRAY, {})) == 90).all()
    assert draw_tracks(GRAY, {0: np.array([[1.0, 1.0]])}, max_side=80).size == (80, 60)


def test_neighboring_numbers_look_different():
    colors = np.array([color_of(number) for number in range(100)])
    assert np.abs(np.diff(colors, axis=0)).max(axis=1).min() > 60


def test_a_sheet_has_a_frame_a_picture_that_says_whether_it_fits():
    cells = [
        Cell(image=GRAY, caption="query"),
        Cell(image=GRAY, caption="yes" * 99, good=True, points=np.array([[80.0, 60.0]])),
        Cell(image=GRAY, caption="no", good=False),
    ]
    sheet = np.asarray(contact_sheet(cells, columns=2)).astype(int)
    codes = np.unique(sheet @ np.array([1 << 16, 1 << 8, 1]))
    colors = {(int(code) >> 16, int(code) >> 8 & 255, int(code) & 255) for code in codes}
    assert {INLIER, OUTLIER, (230, 230, 230)} <= colors
    one = contact_sheet(cells[:1])
    assert one.size[0] < sheet.shape[1]
    assert one.size[1] < sheet.shape[0]
