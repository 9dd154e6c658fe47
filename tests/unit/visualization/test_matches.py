"""Pictures of matches: points and lines stand where they belong, in the right colors, at a sensible size."""

import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, ImageTransform, read_image
from tiepoint.visualization import canvas, draw_matches, matches
from tiepoint.visualization.captions import captioned
from tiepoint.visualization.colors import score_color

NONE = np.zeros((0, 2), np.float32)


def flat(width: int, height: int, value: int = 0) -> Image:
    return read_image(np.full((height, width), value, np.uint8))


def pixels(picture: PIL.Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def bright_centroid(picture: np.ndarray) -> np.ndarray:
    weight = picture.sum(axis=2)
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def test_the_images_stand_side_by_side_on_black() -> None:
    picture = draw_matches(flat(60, 40, 200), flat(30, 50, 100), NONE, NONE, caption="")
    assert (picture.mode, picture.size) == ("RGB", (90, 50))
    seen = pixels(picture)
    assert np.ptp(seen[:40, :60]) == 0
    assert np.ptp(seen[:, 60:]) == 0
    assert seen[0, 0, 0] > seen[0, 60, 0] > 50
    assert seen[40:, :60].max() == 0


def test_drawing_leaves_the_photograph_itself_alone() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    left = pixels(draw_matches(read_image(gray), flat(10, 10), NONE, NONE, caption=""))[:, :60]
    np.testing.assert_allclose(
        left, np.repeat(gray[..., None], 3, axis=2) * canvas.IMAGE_BRIGHTNESS, atol=0.6
    )


@pytest.mark.parametrize("max_side", [None, 400, 100])
@pytest.mark.parametrize("point", [(10.0, 10.0), (187.5, 133.25), (390.0, 290.0)])
def test_keypoints_are_drawn_where_they_belong(point: tuple[float, float], max_side: int | None) -> None:
    keypoint = np.array([point])
    picture = draw_matches(
        flat(400, 300),
        flat(400, 300),
        NONE,
        NONE,
        keypoints0=keypoint,
        keypoints1=keypoint,
        max_side=max_side,
        caption="",
    )
    transform = ImageTransform.fit((400, 300), max_side)
    width = transform.resized_size[0]
    expected = transform.to_resized(torch.from_numpy(keypoint))[0].numpy()
    for side in (0, 1):
        dots = pixels(picture)[:, side * width : (side + 1) * width]
        np.testing.assert_allclose(bright_centroid(dots), expected, atol=0.2)


def test_a_line_runs_from_point_to_point() -> None:
    picture = pixels(
        draw_matches(
            flat(100, 100), flat(100, 100), np.array([[20.0, 30.0]]), np.array([[80.0, 70.0]]), caption=""
        )
    )
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = 20 + share * 160, 30 + share * 40
        assert picture[round(y), round(x), 1] > 120
    assert picture[90, 100].max() == 0


@pytest.mark.parametrize(
    ("score", "color_range", "strength"),
    [
        (0.0, (0.0, 1.0), 0.0),
        (0.5, (0.0, 1.0), 0.5),
        (1.0, (0.0, 1.0), 1.0),
        (0.2, (0.2, 0.6), 0.0),
        (9.0, (0.2, 0.6), 1.0),
        (0.3, None, 1.0),
    ],
)
def test_colors_are_those_of_the_scores(
    score: float, color_range: tuple[float, float] | None, strength: float
) -> None:
    points = np.array([[50.0, 50.0]])
    picture = draw_matches(
        flat(100, 100), flat(100, 100), points, points, np.array([score]), color_range=color_range, caption=""
    )
    assert picture.getpixel((50, 50)) == score_color(strength)


def test_without_a_range_the_lowest_and_highest_scores_have_the_extreme_colors() -> None:
    points = np.array([[50.0, 20.0], [50.0, 80.0]])
    scores = torch.tensor([0.91, 0.90])
    picture = draw_matches(
        flat(100, 100), flat(100, 100), points, points, scores, color_range=None, caption=""
    )
    assert [picture.getpixel((50, y)) for y in (20, 80)] == [score_color(1.0), score_color(0.0)]


def test_lines_are_limited_and_all_points_are_drawn() -> None:
    points = np.array([[50.0, 10.0], [50.0, 50.0], [50.0, 52.0]])
    scores = np.array([0.5, 0.9, 0.7])
    picture = pixels(
        draw_matches(flat(100, 100), flat(100, 100), points, points, scores, max_lines=2, caption="")
    )
    assert [picture[row, 100].max() > 100 for row in (10, 50)] == [True, True]
    assert picture[53, 100].max() < 60
    assert picture[52, 50].max() > 100


def test_the_best_line_lies_on_top() -> None:
    points = np.array([[50.0, 50.0], [50.0, 50.0]])
    for scores in (np.array([1.0, 0.0]), np.array([0.0, 1.0])):
        seen = draw_matches(flat(100, 100), flat(100, 100), points, points, scores, caption="")
        assert seen.getpixel((50, 50)) == score_color(1.0)


def test_1600_matches_leave_the_images_visible() -> None:
    """A green carpet of 1,610 inliers showed nothing: most pixels keep their gray."""
    points = np.random.default_rng(0).uniform(0, 800, (1610, 2))
    picture = pixels(draw_matches(flat(800, 800, 100), flat(800, 800, 100), points, points, caption=""))
    is_covered = np.abs(picture - round(100 * canvas.IMAGE_BRIGHTNESS)).max(axis=2) > 20
    assert 0.02 < is_covered.mean() < 0.25


@pytest.mark.parametrize("width", [400, 1600])
def test_lines_are_visible_when_the_drawing_is_shown_at_800_px(width: int) -> None:
    point = np.array([[width / 4, width / 8]])
    image = flat(width, width // 4, 100)
    drawn = draw_matches(image, image, point, point, caption="", max_side=None)
    shown = pixels(drawn.resize((800, 100), PIL.Image.Resampling.LANCZOS).convert("L"))
    background = round(100 * canvas.IMAGE_BRIGHTNESS)
    assert shown[:, 400].max() > background + 60
    assert shown[:, 400].min() < background - 10  # the outline


@pytest.mark.parametrize(
    ("caption", "count", "shown", "expected"),
    [
        (None, 437, 437, "437 matches"),
        (None, 1, 1, "1 match"),
        (None, 0, 0, "0 matches"),
        (None, 12345, 60, "12,345 matches, 60 drawn as lines"),
        ("sift+nearest", 3, 2, "sift+nearest: 3 matches, 2 drawn as lines"),
        ("", 3, 3, ""),
    ],
)
def test_the_caption_says_how_many_there_are(
    caption: str | None, count: int, shown: int, expected: str
) -> None:
    assert captioned(caption, matches._count(count, shown)) == expected


def test_the_caption_is_written_where_it_fits() -> None:
    large, small = flat(300, 200), flat(20, 20)
    assert pixels(draw_matches(large, large, NONE, NONE)).max() > 200
    assert pixels(draw_matches(large, large, NONE, NONE, caption="")).max() == 0
    assert pixels(draw_matches(small, small, NONE, NONE)).max() == 0


def test_tiny_and_long_images() -> None:
    point = np.zeros((1, 2))
    assert draw_matches(flat(1, 1), flat(1, 1), point, point).size == (2, 1)
    assert draw_matches(flat(3000, 2), flat(1, 2000), point, point, max_side=100).size == (101, 100)


def test_points_far_outside_do_no_harm() -> None:
    points = np.array([[50.0, 50.0], [-1e30, 1e30]])
    picture = pixels(draw_matches(flat(100, 100), flat(100, 100), points, points, caption=""))
    assert picture[50, 50, 1] > 200


def test_the_picture_of_large_images_is_limited() -> None:
    picture = draw_matches(flat(3000, 2000), flat(500, 400), NONE, NONE)
    assert picture.size == (1024 + 500, 683)


def test_a_very_large_picture_is_drawn_at_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canvas, "MAX_SUPERSAMPLED_PIXELS", 100)
    point = np.array([[20.0, 20.0]])
    picture = pixels(draw_matches(flat(60, 40), flat(60, 40), point, point, caption=""))
    assert picture.shape == (40, 120, 3)
    assert picture[20, 20, 1] > 200
    assert picture[20, 50, 1] > 120


def test_arrays_and_tensors_draw_the_same() -> None:
    points = np.random.default_rng(0).uniform(0, 60, (20, 2)).astype(np.float32)
    scores = np.linspace(0, 1, 20, dtype=np.float32)
    from_arrays = draw_matches(flat(80, 60), flat(80, 60), points, points[::-1], scores)
    tensors = [torch.from_numpy(value.copy()) for value in (points, points[::-1], scores)]
    assert from_arrays.tobytes() == draw_matches(flat(80, 60), flat(80, 60), *tensors).tobytes()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"points0": np.zeros((3, 3))}, r"points0: expected points \(x, y\) of shape \(k, 2\), .* \(3, 3\)"),
        ({"points1": np.zeros((2, 2))}, "got 3 and 2 rows"),
        ({"points1": np.full((3, 2), np.nan)}, "points1: found NaN"),
        ({"scores": np.zeros((3, 1))}, r"scores: expected shape \(3,\)"),
        ({"scores": np.array([0, 1, np.inf])}, "scores: found NaN or infinite"),
        ({"keypoints0": np.zeros(4)}, "keypoints0: expected"),
        ({"max_lines": -1}, "max_lines: .*got -1"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict, text: str) -> None:
    given = {"points0": np.zeros((3, 2)), "points1": np.zeros((3, 2)), **arguments}
    with pytest.raises(InvalidInput, match=text):
        draw_matches(flat(20, 20), flat(20, 20), **given)
