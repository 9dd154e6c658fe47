"""Units of work: each missing item once, in the same units in every run."""

from pathlib import Path

import pytest

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import SelectedPairs, parse_pair_selection, select_pairs
from tiepoint.collection.run.planning import IMAGES_PER_TILE, MatchUnit, plan_extraction, plan_matching
from tiepoint.feature_store.keys import KeySet, pair_key


def collection(count: int, contents: str = "") -> list[ImageRecord]:
    """Images with distinct contents, or with one content per letter."""
    digests = [f"{ord(letter):016x}" for letter in contents] or [f"{index:016x}" for index in range(count)]
    return [
        ImageRecord(name=f"{index:05d}.jpg", path=Path("a.jpg"), digest=digest, image_size=(8, 6))
        for index, digest in enumerate(digests)
    ]


def exhaustive(count: int) -> SelectedPairs:
    return select_pairs(parse_pair_selection("exhaustive"), collection(count))


def keys(images: list[ImageRecord]) -> list[str]:
    return [image.key for image in images]


def pair_keys(units: list[MatchUnit]) -> list[str]:
    return [pair_key(pair) for unit in units for pair in unit.pairs]


def test_extraction_units_are_ordered_and_bounded():
    images = collection(10)
    units = list(plan_extraction(images, size=4))
    assert [len(unit.images) for unit in units] == [4, 4, 2]
    assert [image for unit in units for image in unit.images] == images


def test_finished_images_are_left_out_of_unchanged_units():
    images = collection(10)
    done = KeySet(keys([images[i] for i in (0, 4, 5, 6, 7)]))
    units = list(plan_extraction(images, done, size=4))
    assert [unit.images for unit in units] == [tuple(images[1:4]), tuple(images[8:])]


def test_duplicates_are_in_one_unit():
    images = collection(7, contents="abcabda")
    units = list(plan_extraction(images, size=3))
    contents = ["".join(chr(int(image.digest, 16)) for image in unit.images) for unit in units]
    assert contents == ["aaa", "bbc", "d"]


def test_duplicate_of_a_finished_image_is_planned():
    images = collection(2, contents="aa")
    (unit,) = plan_extraction(images, KeySet(keys(images[:1])))
    assert unit.images == (images[1],)


def test_all_done():
    images = collection(5)
    pairs = exhaustive(5)
    done = KeySet(pair_keys(list(plan_matching(pairs))))
    assert list(plan_extraction(images, KeySet(keys(images)))) == []
    assert list(plan_matching(pairs, done)) == []


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_match(count: int):
    assert list(plan_extraction(collection(0))) == []
    assert list(plan_matching(exhaustive(count))) == []


def test_all_selected_pairs_are_planned():
    pairs = exhaustive(9)
    units = list(plan_matching(pairs, size=10))
    names = {tuple(key.partition("@")[0] for key in pair) for unit in units for pair in unit.pairs}
    assert [len(unit.pairs) for unit in units] == [10, 10, 10, 6]
    assert names == set(pairs)


def test_finished_pairs_are_left_out_of_unchanged_units():
    pairs = exhaustive(30)
    units = list(plan_matching(pairs, size=50))
    done = KeySet(pair_keys(units[:2]) + pair_keys(units[4:5])[:7])
    rest = list(plan_matching(pairs, done, size=50))
    assert rest == [*units[2:4], MatchUnit(units[4].pairs[7:]), *units[5:]]


@pytest.mark.slow
def test_few_images_per_unit():
    count = 5 * IMAGES_PER_TILE
    needed = [
        len({key for pair in unit.pairs for key in pair})
        for unit in plan_matching(exhaustive(count), size=512)
    ]
    in_order = [
        len({key for pair in chunk for key in pair}) for chunk in chunks(list(exhaustive(count)), 512)
    ]
    assert max(needed) <= 2 * IMAGES_PER_TILE + 2 * 512 // IMAGES_PER_TILE
    assert max(in_order) > 2 * max(needed)


def chunks(items: list[tuple[str, str]], size: int) -> list[list[tuple[str, str]]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


@pytest.mark.slow
def test_one_more_image_changes_few_units():
    """New pairs join existing units instead of forming units of one pair."""
    before, after = exhaustive(200), exhaustive(201)
    done = KeySet(pair_keys(list(plan_matching(before))))
    units = list(plan_matching(after, done))
    assert sum(len(unit.pairs) for unit in units) == 200
    assert len(units) < 20
