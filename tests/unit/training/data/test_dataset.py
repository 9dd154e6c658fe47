"""Which photographs are held out, whatever their names, and where data lie."""

from pathlib import Path

import pytest
import torch
from tests.helpers.noise_images import identity_extractor, write_images

from tiepoint.errors import InvalidInput
from tiepoint.feature_store import Store
from tiepoint.io.progress import untracked
from tiepoint.training.data.colmap_images import CachedModel
from tiepoint.training.data.dataset import Places, TrainingData, prepare_data, split, without_contents
from tiepoint.training.distributed import Processes
from tiepoint.training.recipes import RECIPES, adapted


def names(count: int) -> list[Path]:
    return [Path(f"photos/{number}.jpg") for number in range(count)]


@pytest.mark.parametrize(("count", "held_out"), [(10, 4), (24, 4), (200, 10), (5000, 100)])
def test_a_twentieth_is_held_out(count: int, held_out: int) -> None:
    learned, kept = split(names(count))
    assert len(kept) == held_out
    assert sorted([*learned, *kept]) == sorted(names(count))


def test_names_decide_and_not_their_order() -> None:
    assert set(split(names(50))[1]) == set(split(names(50)[::-1])[1])


def test_fewer_than_ten_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 10 different photographs, but there are 9"):
        split(names(9))


def test_depth_maps_need_a_reconstruction(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--colmap"):
        Places(photographs=tmp_path, cache=tmp_path, depth_maps=tmp_path)


def write(folder: Path, contents: dict[str, str]) -> Path:
    """Files with an image's ending; whether they are images shows only when they are read."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.jpg").write_text(content)
    return folder


def numbered(first: int, last: int) -> dict[str, str]:
    return {str(number): f"content {number}" for number in range(first, last)}


class TestSplit:
    @pytest.fixture
    def photographs(self, tmp_path: Path) -> Path:
        return write(tmp_path / "photos", numbered(0, 20))

    def test_other_photographs_leave_all_to_learn_from(self, photographs: Path, tmp_path: Path) -> None:
        val = write(tmp_path / "val", numbered(30, 33))
        found = Places(photographs=photographs, cache=tmp_path, val=val).split()
        assert (len(found.learned), len(found.held_out), found.problems) == (20, 3, ())

    def test_a_folder_inside_the_photographs_is_held_out(self, photographs: Path, tmp_path: Path) -> None:
        val = write(photographs / "val", numbered(30, 33))
        found = Places(photographs=photographs, cache=tmp_path, val=val).split()
        assert set(found.held_out) == set(val.iterdir())
        assert {path.parent for path in found.learned} == {photographs}
        assert found.problems == (
            f"3 of 23 photographs in {photographs} are in {val} too, and are not learned from",
        )

    def test_copies_under_other_names_are_held_out(self, photographs: Path, tmp_path: Path) -> None:
        val = write(tmp_path / "val", {"x": "content 3", "y": "content 7", "z": "another"})
        found = Places(photographs=photographs, cache=tmp_path, val=val).split()
        assert len(found.learned) == 18
        assert not {"3", "7"} & {path.stem for path in found.learned}
        assert "2 of 20 photographs" in found.problems[0]

    def test_nothing_left_is_an_error(self, photographs: Path, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"at least 10 .*learn from, but 20 of 20 .*are in .*--val"):
            Places(photographs=photographs, cache=tmp_path, val=photographs).split()

    def test_without_a_folder_no_content_is_on_both_sides(self, photographs: Path, tmp_path: Path) -> None:
        write(photographs, {f"copy {name}": content for name, content in numbered(0, 20).items()})
        found = Places(photographs=photographs, cache=tmp_path).split()
        learned, held_out = (
            {path.read_text() for path in paths} for paths in (found.learned, found.held_out)
        )
        assert (len(learned), len(held_out), learned & held_out) == (16, 4, set())

    def test_copies_of_one_photograph_are_too_few(self, tmp_path: Path) -> None:
        photographs = write(tmp_path / "photos", dict.fromkeys(numbered(0, 20), "the same"))
        with pytest.raises(InvalidInput, match="at least 10 different photographs, but there are 1"):
            Places(photographs=photographs, cache=tmp_path).split()

    def test_a_reconstruction_may_be_smaller(self, photographs: Path, tmp_path: Path) -> None:
        """What it lacks is found out when its pairs are known."""
        places = Places(photographs=photographs, cache=tmp_path, val=photographs, colmap=tmp_path)
        assert places.split().learned == []


def prepare(photographs: Path, cache: Path, val: Path | None = None) -> TrainingData:
    places = Places(photographs=photographs, cache=cache, val=val)
    alone = Processes(0, 1, torch.device("cpu"))
    recipe = adapted(RECIPES["homography"], learning_rate=None, max_keypoints=40, resize=96)
    return prepare_data(places, recipe, identity_extractor(), alone, seed=0, track=untracked)


class TestUsable:
    """How many photographs can be used is counted over the folder, whether they are learned from or held out."""

    @pytest.fixture
    def photographs(self, tmp_path: Path) -> list[Path]:
        return write_images(tmp_path / "photos", 12)

    def broken(self, photographs: list[Path], count: int) -> Path:
        for path in photographs[:count]:
            path.write_text(f"no photograph: {path}")
        return photographs[0].parent

    @pytest.mark.parametrize("count", [3, 11])
    def test_fewer_than_ten_are_refused(self, photographs: list[Path], tmp_path: Path, count: int) -> None:
        folder = self.broken(photographs, count)
        with pytest.raises(
            InvalidInput, match=rf"at least 10 .* only {12 - count} in .* can be used, the first"
        ):
            prepare(folder, tmp_path / "cache")

    def test_broken_held_out_ones_are_as_bad_as_others(self, photographs: list[Path], tmp_path: Path) -> None:
        folder = self.broken(split(photographs)[1][:3], 3)
        with pytest.raises(InvalidInput, match=r"at least 10 .* only 9 in "):
            prepare(folder, tmp_path / "cache")

    def test_none_to_validate_on_is_said(self, tmp_path: Path) -> None:
        photographs = write_images(tmp_path / "photos", 15)
        folder = self.broken(split(photographs)[1], 4)
        with pytest.raises(
            InvalidInput, match=r"to validate on, .*held out.*the first other one because.*--val"
        ):
            prepare(folder, tmp_path / "cache")

    def test_ten_are_enough(self, photographs: list[Path], tmp_path: Path) -> None:
        data = prepare(self.broken(photographs, 2), tmp_path / "cache")
        assert len(data.problems) == 2
        assert 1 <= len(data.held_out) <= 4

    def test_those_of_another_folder_do_not_count(self, photographs: list[Path], tmp_path: Path) -> None:
        val = self.broken(photographs, 3).rename(tmp_path / "val")
        few = write_images(tmp_path / "few", 12, (160, 120))
        with pytest.raises(InvalidInput, match=r"at least 10 .* only 9 in .*few"):
            prepare(self.broken(few, 3), tmp_path / "cache", val)

    def test_other_photographs_are_other_data(self, photographs: list[Path], tmp_path: Path) -> None:
        """So a run that goes on with others is refused."""
        before = prepare(photographs[0].parent, tmp_path / "cache").source.fingerprint
        assert prepare(photographs[0].parent, tmp_path / "cache").source.fingerprint == before
        (more,) = write_images(tmp_path / "more", 1, (160, 120))
        more.rename(photographs[0].with_name("more.png"))
        assert prepare(photographs[0].parent, tmp_path / "cache").source.fingerprint != before


class TestModel:
    @pytest.fixture
    def model(self, tmp_path: Path) -> CachedModel:
        pairs = (("a.jpg@1", "b.jpg@2"), ("b.jpg@2", "c@d.jpg@3"))
        neighbors = {"a.jpg@1": {"b.jpg@2"}, "b.jpg@2": {"a.jpg@1", "c@d.jpg@3"}, "c@d.jpg@3": {"b.jpg@2"}}
        return CachedModel(
            store=Store(tmp_path / "store", {}),
            pairs=pairs,
            neighbors={key: frozenset(others) for key, others in neighbors.items()},
            problems=(),
        )

    def test_what_is_held_out_takes_no_part(self, model: CachedModel) -> None:
        assert without_contents(model, {"1"}).pairs == (("b.jpg@2", "c@d.jpg@3"),)
        assert without_contents(model, {"3"}).pairs == (("a.jpg@1", "b.jpg@2"),)
        assert without_contents(model, set()).pairs == model.pairs

    def test_neither_in_negatives(self, model: CachedModel) -> None:
        assert model.strangers("a.jpg@1") == ["c@d.jpg@3"]
        assert without_contents(model, {"3"}).strangers("a.jpg@1") == []

    def test_a_model_must_not_be_held_out_whole(self, model: CachedModel) -> None:
        with pytest.raises(InvalidInput, match="--val"):
            without_contents(model, {"2"})
