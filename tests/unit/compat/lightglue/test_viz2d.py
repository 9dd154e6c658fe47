from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint.compat.lightglue import viz2d
from tiepoint.errors import InvalidInput

plt.switch_backend("agg")
IMAGES = [np.full((40, 60, 3), 255, np.uint8), torch.zeros(3, 40, 30)]
POINTS = np.array([[5.0, 5.0], [20.0, 30.0], [29.0, 10.0]])


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def axes() -> list:
    return plt.gcf().axes


def test_images_and_titles() -> None:
    viz2d.plot_images([*IMAGES, np.eye(40)], titles=["a", "b", "c"])
    assert [axis.get_title() for axis in axes()] == ["a", "b", "c"]
    width, height = plt.gcf().get_size_inches()
    assert width / height == pytest.approx(60 / 40 + 30 / 40 + 1)


def test_keypoints_and_matches() -> None:
    viz2d.plot_images(IMAGES)
    viz2d.plot_keypoints([torch.from_numpy(POINTS), POINTS], colors=["lime", "red"], a=[1.0, 0.5])
    viz2d.plot_matches(POINTS, torch.from_numpy(POINTS), color="lime", lw=2, labels=["x", "y", "z"])
    lines = list(plt.gcf().artists)
    assert [line.get_label() for line in lines] == ["x", "y", "z"]
    assert all(len(axis.collections) == 2 for axis in axes())
    assert axes()[0].collections[0].get_offsets().tolist() == POINTS.tolist()


@pytest.mark.parametrize(
    "color", [None, "lime", (0.0, 1.0, 0.0), [[0.0, 1.0, 0.0]] * 3, ["red", "lime", "blue"]]
)
def test_colors_of_matches(color) -> None:
    viz2d.plot_images(IMAGES)
    viz2d.plot_matches(POINTS, POINTS, color=color)
    assert len(plt.gcf().artists) == 3


@pytest.mark.parametrize("count", [0, 1])
def test_few_matches(count: int) -> None:
    viz2d.plot_images(IMAGES)
    viz2d.plot_matches(POINTS[:count], POINTS[:count])
    assert len(plt.gcf().artists) == count


def test_different_numbers_of_keypoints_are_an_error() -> None:
    viz2d.plot_images(IMAGES)
    with pytest.raises(InvalidInput, match="3 and 2"):
        viz2d.plot_matches(POINTS, POINTS[:2])


def test_text_and_file(tmp_path: Path) -> None:
    viz2d.plot_images(IMAGES, dpi=50)
    viz2d.add_text(0, "Stop after 5 layers", fs=20)
    viz2d.add_text(1, "plain", lcolor=None)
    assert [axis.texts[0].get_text() for axis in axes()] == ["Stop after 5 layers", "plain"]
    viz2d.save_plot(tmp_path / "plot.png")
    with PIL.Image.open(tmp_path / "plot.png") as image:
        assert image.width > image.height


def test_colormaps() -> None:
    assert viz2d.cm_RdGn(np.array([0, 0.5, 1, 7])).tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert viz2d.cm_BlRdGn(np.array([0.0, 1.0])).tolist() == [[1, 0, 0, 1], [0, 1, 0, 1]]
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert viz2d.cm_grad2d(corners).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]
    pruned = viz2d.cm_prune(torch.tensor([1, 4, 9]))
    assert pruned[2].tolist() == viz2d.cm_BlRdGn(np.array([-1.0]))[0].tolist()
    assert pruned[0].tolist() == [1, 0, 0, 1]
