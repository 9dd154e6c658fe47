"""Which photographs are held out, and where data lie."""

from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.store import Store
from tiepoint.training.data import Places, split, without_images
from tiepoint.training.posed_images import CachedModel


def names(count: int) -> list[Path]:
    return [Path(f"photos/{number}.jpg") for number in range(count)]


@pytest.mark.parametrize(("count", "held_out"), [(10, 4), (24, 4), (200, 10), (5000, 100)])
def test_a_twentieth_is_held_out(count: int, held_out: int) -> None:
    learnt, kept = split(names(count))
    assert len(kept) == held_out
    assert sorted([*learnt, *kept]) == sorted(names(count))


def test_names_decide_and_not_their_order() -> None:
    assert set(split(names(50))[1]) == set(split(names(50)[::-1])[1])


def test_fewer_than_ten_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 10 photographs, but there are 9"):
        split(names(9))


def test_depth_maps_need_a_reconstruction(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--colmap"):
        Places(photographs=tmp_path, cache=tmp_path, depth_maps=tmp_path)


@pytest.fixture
def model(tmp_path: Path) -> CachedModel:
    pairs = (("a.jpg@1", "b.jpg@2"), ("b.jpg@2", "c@d.jpg@3"))
    return CachedModel(store=Store(tmp_path / "store", {}), pairs=pairs, problems=())


def test_pairs_of_what_is_held_out_are_left_out(model: CachedModel) -> None:
    assert without_images(model, ["a.jpg"]).pairs == (("b.jpg@2", "c@d.jpg@3"),)
    assert without_images(model, ["c@d.jpg"]).pairs == (("a.jpg@1", "b.jpg@2"),)
    assert without_images(model, []).pairs == model.pairs


def test_a_model_must_not_be_held_out_whole(model: CachedModel) -> None:
    with pytest.raises(InvalidInput, match="--val"):
        without_images(model, ["b.jpg"])
