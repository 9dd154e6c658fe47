"""The canvas: where both images and their coordinates are, colors, and limits of its size."""

import numpy as np
import pytest

from tiepoint.image import Image, read_image
from tiepoint.visualization import canvas
from tiepoint.visualization.canvas import Canvas

RED, GREEN = (255, 0, 0), (0, 255, 0)
GRAY = (round(100 * canvas.IMAGE_BRIGHTNESS),) * 3


def image(width: int, height: int, value: int = 100) -> Image:
    return read_image(np.full((height, width, 3), value, np.uint8))


def color_at(drawn: Canvas, x: int, y: int) -> tuple[int, ...]:
    return drawn.drawing().getpixel((x, y))


def test_images_are_next_to_each_other():
    drawn = Canvas(image(40, 30), image(20, 50, 200), None)
    assert drawn.drawing().size == (60, 50)
    bright = round(200 * canvas.IMAGE_BRIGHTNESS)
    assert [color_at(drawn, *xy)[0] for xy in ((39, 10), (40, 10), (10, 40))] == [GRAY[0], bright, 0]


def test_points_are_in_the_pixels_of_their_image():
    drawn = Canvas(image(40, 30), image(40, 30), None)
    drawn.draw_points(0, np.array([[10.0, 5.0]]), [RED], radius=2)
    drawn.draw_points(1, np.array([[10.0, 5.0]]), [GREEN], radius=2)
    assert color_at(drawn, 10, 5) == RED
    assert color_at(drawn, 50, 5) == GREEN


def test_matches_connect_both_images():
    drawn = Canvas(image(40, 30), image(40, 30), None)
    drawn.draw_matches(np.array([[10.0, 15.0]]), np.array([[30.0, 15.0]]), [RED])
    red, green, _ = color_at(drawn, 40, 15)
    assert red > green + 50
    assert color_at(drawn, 40, 20) == GRAY


def test_segments_stay_in_one_image():
    drawn = Canvas(image(40, 30), image(40, 30), None)
    drawn.draw_segments(1, np.array([[5.0, 15.0]]), np.array([[35.0, 15.0]]), [RED], width=2)
    assert color_at(drawn, 60, 15)[1] < GRAY[1]
    assert color_at(drawn, 20, 15) == GRAY


def test_keypoints_are_faint():
    drawn = Canvas(image(40, 30), image(40, 30), None)
    drawn.draw_keypoints(0, np.array([[10.0, 15.0]]))
    assert color_at(drawn, 10, 15)[2] > 150


def test_large_images_are_downsampled():
    drawn = Canvas(image(400, 300), image(40, 30), 100)
    assert drawn.drawing().size == (140, 75)
    drawn.draw_points(0, np.array([[200.0, 100.0]]), [RED], radius=2)
    assert color_at(drawn, 50, 25) == RED


def test_very_large_drawings_are_not_supersampled(monkeypatch: pytest.MonkeyPatch):
    assert Canvas(image(40, 30), image(40, 30), None).supersampling == canvas.SUPERSAMPLING
    monkeypatch.setattr(canvas, "MAX_SUPERSAMPLED_PIXELS", 1000)
    assert Canvas(image(40, 30), image(40, 30), None).supersampling == 1


def test_points_far_outside_do_not_overflow():
    drawn = Canvas(image(40, 30), image(40, 30), None)
    drawn.draw_matches(np.array([[-1e30, 5.0]]), np.array([[1e30, 5.0]]), [RED])
    assert drawn.drawing().size == (80, 30)


def test_many_lines_are_fainter_than_few():
    opacities = [canvas._opacity(count) for count in (1, 200, 400, 10_000)]
    assert opacities == sorted(opacities, reverse=True)
    assert (opacities[0], opacities[-1]) == canvas.OPACITIES[::-1]
