"""Which photographs are held out, whatever their names, and where data lie."""

from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.store import Store
from tiepoint.training.data import Places, split, without_contents
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
        assert (len(found.learnt), len(found.held_out), found.problems) == (20, 3, ())

    def test_a_folder_inside_the_photographs_is_held_out(self, photographs: Path, tmp_path: Path) -> None:
        val = write(photographs / "val", numbered(30, 33))
        found = Places(photographs=photographs, cache=tmp_path, val=val).split()
        assert set(found.held_out) == set(val.iterdir())
        assert {path.parent for path in found.learnt} == {photographs}
        assert found.problems == (
            f"3 of 23 photographs in {photographs} are in {val} too, and are not learnt from",
        )

    def test_copies_under_other_names_are_held_out(self, photographs: Path, tmp_path: Path) -> None:
        val = write(tmp_path / "val", {"x": "content 3", "y": "content 7", "z": "another"})
        found = Places(photographs=photographs, cache=tmp_path, val=val).split()
        assert len(found.learnt) == 18
        assert not {"3", "7"} & {path.stem for path in found.learnt}
        assert "2 of 20 photographs" in found.problems[0]

    def test_nothing_left_is_an_error(self, photographs: Path, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"at least 10 .*learn from, but 20 of 20 .*are in .*--val"):
            Places(photographs=photographs, cache=tmp_path, val=photographs).split()

    def test_without_a_folder_no_content_is_on_both_sides(self, photographs: Path, tmp_path: Path) -> None:
        write(photographs, {f"copy {name}": content for name, content in numbered(0, 20).items()})
        found = Places(photographs=photographs, cache=tmp_path).split()
        learnt, held_out = ({path.read_text() for path in paths} for paths in (found.learnt, found.held_out))
        assert (len(learnt), len(held_out), learnt & held_out) == (16, 4, set())

    def test_copies_of_one_photograph_are_too_few(self, tmp_path: Path) -> None:
        photographs = write(tmp_path / "photos", dict.fromkeys(numbered(0, 20), "the same"))
        with pytest.raises(InvalidInput, match="at least 10 different photographs, but there are 1"):
            Places(photographs=photographs, cache=tmp_path).split()

    def test_a_reconstruction_may_be_smaller(self, photographs: Path, tmp_path: Path) -> None:
        """What it lacks is found out when its pairs are known."""
        places = Places(photographs=photographs, cache=tmp_path, val=photographs, colmap=tmp_path)
        assert places.split().learnt == []


class TestModel:
    @pytest.fixture
    def model(self, tmp_path: Path) -> CachedModel:
        pairs = (("a.jpg@1", "b.jpg@2"), ("b.jpg@2", "c@d.jpg@3"))
        neighbours = {"a.jpg@1": {"b.jpg@2"}, "b.jpg@2": {"a.jpg@1", "c@d.jpg@3"}, "c@d.jpg@3": {"b.jpg@2"}}
        return CachedModel(
            store=Store(tmp_path / "store", {}),
            pairs=pairs,
            neighbours={key: frozenset(others) for key, others in neighbours.items()},
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
