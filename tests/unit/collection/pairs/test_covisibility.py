"""Covisible pairs of a COLMAP model."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from tests.helpers.synthetic_reconstruction import random_model

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.covisibility import covisible_images, model_digest, read_covisible_pairs
from tiepoint.collection.pairs.selection import parse_pair_selection, select_pairs
from tiepoint.collection.run.options import CollectionOptions
from tiepoint.errors import InvalidInput


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    random_model(frames=6).write(str(folder))
    return folder


def names_of(reconstruction) -> list[str]:
    return sorted(image.name for image in reconstruction.images.values())


def common_points(reconstruction) -> Counter:
    """Number of common points of each pair of image IDs, counted point by point."""
    counts: Counter = Counter()
    for point in reconstruction.points3D.values():
        observers = sorted({element.image_id for element in point.track.elements})
        counts.update(combinations(observers, 2))
    return counts


def test_images_with_the_most_common_points_come_first() -> None:
    reconstruction = random_model(frames=6)
    counts = common_points(reconstruction)
    for image, others in covisible_images(reconstruction, 3).items():
        numbers = {other: counts[min(image, other), max(image, other)] for other in reconstruction.images}
        numbers.pop(image)
        best = sorted((number for number in numbers.values() if number), reverse=True)[:3]
        assert [numbers[other] for other in others] == best


def test_pairs_of_all_images_with_common_points(model: Path) -> None:
    reconstruction = random_model(frames=6)
    names = names_of(reconstruction)
    pairs, problems = read_covisible_pairs(model, names)
    ids = {image.name: image_id for image_id, image in reconstruction.images.items()}
    found = {tuple(sorted((ids[names[a]], ids[names[b]]))) for a, b in pairs.tolist()}
    assert found == set(common_points(reconstruction))
    assert problems == []


def test_images_that_are_not_in_the_model_are_named(model: Path) -> None:
    names = [*names_of(random_model(frames=6)), "new.jpg"]
    pairs, problems = read_covisible_pairs(model, names)
    assert len(names) - 1 not in pairs
    assert len(problems) == 1
    assert problems[0].startswith("new.jpg: shares no 3D point with another image")


def test_a_model_of_other_images_is_refused(model: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"shows none of the images; it needs their names, such as 'x\.jpg'"
    ):
        read_covisible_pairs(model, ["x.jpg"])


def test_a_collection_selects_them(model: Path) -> None:
    images = [
        ImageRecord(name=name, path=Path(name), digest=f"{index:016x}", image_size=(8, 6))
        for index, name in enumerate(names_of(random_model(frames=6)))
    ]
    selected = select_pairs(parse_pair_selection(f"covisible:{model}"), images)
    assert len(selected) == len(common_points(random_model(frames=6)))


def test_the_digest_follows_the_model(tmp_path: Path) -> None:
    random_model(frames=6).write(str(tmp_path))
    before = model_digest(tmp_path)
    assert parse_pair_selection(f"covisible:{tmp_path}").list_digest() == before
    random_model(seed=2, frames=6).write(str(tmp_path))
    assert model_digest(tmp_path) != before


@pytest.mark.parametrize("what", ["missing", "empty", "damaged"])
def test_what_is_no_model_is_refused_before_the_work(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "model"
    if what != "missing":
        folder.mkdir()
    if what == "damaged":
        random_model().write(str(folder))
        (folder / "images.bin").write_bytes(b"\x01\x00")
    with pytest.raises(InvalidInput, match="model"):
        CollectionOptions(pairs=f"covisible:{folder}")


def test_the_digest_of_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not the folder of a COLMAP model"):
        model_digest(tmp_path)


def test_a_model_is_needed() -> None:
    with pytest.raises(InvalidInput, match="covisible:MODEL with the folder of a COLMAP model"):
        parse_pair_selection("covisible:")
