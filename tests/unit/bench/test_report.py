"""`bench` as a whole, over a matcher that needs no weights."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint import demo
from tiepoint.api import Matcher
from tiepoint.bench import bench, report, stages
from tiepoint.bench.images import hard_variant, image_files
from tiepoint.bench.machine import Machine
from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.image import Image, read_image
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.types import Features

WIDTH, HEIGHT = 24, 16
MACHINE = Machine(processor="P", device="cpu", cores=2, threads=1, gemm_gflops=100.0, torch="2", tiepoint="0")


class Diagonal(Matcher):
    """Finds the first pixels of the diagonal, described by their number; one more where the image is bright."""

    def __init__(self) -> None:
        self.extractor = SimpleNamespace(device=torch.device("cpu"))  # type: ignore[assignment]
        self.matcher = NearestMatcher()
        self.threads: set[int] = set()

    def extract(self, image: Image, **options: object) -> Features:  # type: ignore[override]
        self.threads.add(torch.get_num_threads())
        count = 5 + int(image.pixels.float().mean() > 100)
        return Features(
            keypoints=torch.arange(count).float()[:, None].expand(-1, 2),
            scores=torch.ones(count),
            descriptors=torch.eye(8)[:count],
            image_size=image.image_size,
        )


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `load` was asked, and the matcher that it gave."""
    asked: dict[str, Any] = {"matcher": Diagonal()}

    def load(preset: str, **options: Any) -> Matcher:
        asked.update(options, preset=preset)
        return asked["matcher"]

    monkeypatch.setattr(report, "load", load)
    monkeypatch.setattr(stages, "describe_machine", lambda device: MACHINE)
    return asked


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "dark.png", tmp_path / "bright.png"
    for path, value in zip(paths, (10, 200), strict=True):
        PIL.Image.fromarray(np.full((HEIGHT, WIDTH, 3), value, np.uint8)).save(path)
    return paths


def test_every_stage_is_measured(loaded: dict[str, Any], photos: tuple[Path, Path]) -> None:
    pair = bench(*photos, preset="some", runs=3, max_keypoints=7).pair
    assert (loaded["preset"], loaded["max_keypoints"]) == ("some", 7)
    assert (pair.images, pair.keypoints, pair.matches) == (("dark.png", "bright.png"), (5, 6), 5)
    assert list(pair.stages) == ["read", "extract", "match"]
    assert all(len(seconds.runs) == 3 and min(seconds.runs) > 0 for seconds in pair.stages.values())
    for total, *parts in zip(
        pair.pair.runs, *(seconds.runs for seconds in pair.stages.values()), strict=True
    ):
        assert total == pytest.approx(sum(parts))
    assert pair.pairs_per_second == pytest.approx(1 / pair.pair.median)
    assert pair.matched_pairs_per_second > pair.pairs_per_second
    assert pair.peak_memory_bytes > 2**20


def test_the_file_holds_the_report(loaded: dict[str, Any], photos: tuple[Path, Path], tmp_path: Path) -> None:
    found = bench(*photos, runs=2, json=tmp_path / "bench.json")
    record = json.loads((tmp_path / "bench.json").read_text())
    assert record == json.loads(json.dumps(found.to_dict()))
    assert record["machine"]["gemm_gflops"] == 100.0
    assert {len(seconds["runs"]) for seconds in record["seconds"].values()} == {2}
    assert record["tuning"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json", "bright.png", "dark.png"]


def test_tuning_is_for_what_the_matcher_has(loaded: dict[str, Any], photos: tuple[Path, Path]) -> None:
    assert [tuning.option for tuning in bench(*photos, runs=1, tune=True).tunings] == ["threads"]


def test_threads_are_for_the_run_only(loaded: dict[str, Any], photos: tuple[Path, Path]) -> None:
    before = torch.get_num_threads()
    bench(*photos, runs=1, threads=before + 1)
    assert loaded["matcher"].threads == {before + 1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"json": "missing/bench.json"}, "missing"),
        ({"runs": 0}, "runs must be"),
        ({"threads": 0}, "threads must be"),
        ({"image1": None}, "two images, or none"),
        ({"image1": "nowhere.png"}, "nowhere.png"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_found_before_weights_are_loaded(
    options: dict[str, Any], message: str, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "load", lambda *arguments, **others: pytest.fail("loaded"))
    with pytest.raises(InvalidInput, match=message):
        bench(**{"image0": photos[0], "image1": photos[1], **options})


def test_the_demo_pair_is_written_to_temporary_files() -> None:
    with image_files(None, None) as files:
        sizes = [read_image(file).image_size for file in files]
        assert sizes[0] == sizes[1] == demo.motorcycle()[0].shape[1::-1]
    assert not any(Path(file).exists() for file in files)


def test_without_scikit_image_own_images_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "skimage.data", None)
    with pytest.raises(MissingDependency, match="scikit-image"), image_files(None, None):
        pass


def test_the_hard_pair_is_turned_by_a_quarter() -> None:
    image = Image(pixels=torch.arange(3 * HEIGHT * WIDTH, dtype=torch.uint8).view(3, HEIGHT, WIDTH))
    turned = hard_variant(image)
    assert turned.image_size == (HEIGHT, WIDTH)
    assert turned.pixels[0, -1, 0] == image.pixels[0, 0, 0]
