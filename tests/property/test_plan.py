"""Plans of random collections: nothing is left out or repeated, for any selection and unit size."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from benchmarks.processes import run_in_new_process
from hypothesis import given, strategies as st

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs.selection import PairSelection, select_pairs
from tiepoint.collection.run.planning import plan_extraction, plan_matching
from tiepoint.feature_store.keys import KeySet, pair_key
from tiepoint.image.exif import GPSPosition

names = st.lists(st.text(st.characters(exclude_characters="\0\r\n")), unique=True, max_size=30)


@st.composite
def collections(draw: st.DrawFn) -> list[ImageRecord]:
    """Random names, duplicates, images without a position."""
    return [
        ImageRecord(
            name=name,
            path=Path("a.jpg"),
            digest=f"{draw(st.integers(0, 20)):016x}",
            image_size=(8, 6),
            position=draw(st.none() | st.builds(GPSPosition, st.floats(-90, 90), st.floats(-180, 180))),
        )
        for name in sorted(draw(names))
    ]


selections = st.sampled_from(["exhaustive", "sequential:1", "sequential:4", "spatial:1", "spatial:3"]).map(
    lambda text: PairSelection(*text.split(":"))
)


@pytest.mark.slow
@given(images=collections(), selection=selections)
def test_pairs_are_distinct_and_ordered(images: list[ImageRecord], selection: PairSelection):
    pairs = select_pairs(selection, images)
    order = {image.name: index for index, image in enumerate(images)}
    found = list(pairs)
    assert len(found) == len(pairs) == len(set(found))
    assert all(order[name0] < order[name1] for name0, name1 in found)
    assert [order[name0] for name0, _ in found] == sorted(order[name0] for name0, _ in found)
    if selection.method == "exhaustive":
        assert found == list(combinations(order, 2))


@pytest.mark.slow
@given(images=collections(), size=st.integers(1, 9), data=st.data())
def test_extraction_plans_missing_images(images: list[ImageRecord], size: int, data: st.DataObject):
    done = data.draw(st.sets(st.sampled_from(images))) if images else set()
    planned = list(plan_extraction(images, KeySet(image.key for image in done), size=size))
    found = [image.key for unit in planned for image in unit.images]
    assert sorted(found) == sorted({image.key for image in images} - {p.key for p in done})
    for digest in {image.digest for image in images}:
        assert sum(any(p.digest == digest for p in unit.images) for unit in planned) <= 1


@pytest.mark.slow
@given(images=collections(), selection=selections, size=st.integers(1, 40), seed=st.integers(0, 99))
def test_matching_plans_missing_pairs(
    images: list[ImageRecord], selection: PairSelection, size: int, seed: int
):
    pairs = select_pairs(selection, images)
    everything = [pair_key(pair) for unit in plan_matching(pairs, size=size) for pair in unit.pairs]
    by_name = {image.name: image.key for image in images}
    assert sorted(everything) == sorted(pair_key((by_name[name0], by_name[name1])) for name0, name1 in pairs)
    done = [key for key, is_done in zip(everything, halves(len(everything), seed), strict=True) if is_done]
    missing = [
        pair_key(pair) for unit in plan_matching(pairs, KeySet(done), size=size) for pair in unit.pairs
    ]
    assert missing == [key for key in everything if key not in set(done)]


def halves(count: int, seed: int) -> list[bool]:
    return (np.random.default_rng(seed).random(count) < 0.5).tolist()


@given(keys=st.lists(st.text()), others=st.lists(st.text()))
def test_key_set_equals_a_set(keys: list[str], others: list[str]):
    assert KeySet(keys).contains(keys + others).tolist() == [key in set(keys) for key in keys + others]
    assert len(KeySet(keys) | KeySet(others)) == len(set(keys) | set(others))


@pytest.mark.slow
def test_memory_per_pair():
    """A tenth of `python -m benchmarks pairs planning`: 100,000 images and 10 million pairs, in under 1 GiB."""
    small, large = (measure_plan(images=2_000, neighbors=count) for count in (10, 510))
    assert large["pairs"] > 850_000
    assert large["planned"] == large["pairs"] - large["done"] == large["pairs"] // 2
    grown = (large["peak_mib"] - small["peak_mib"]) * 2**20
    assert grown < 64 * (large["pairs"] - small["pairs"])


def measure_plan(*, images: int, neighbors: int) -> dict[str, float]:
    """Measure in a new process, whose memory is its own."""
    sizes = ("--images", str(images), "--neighbors", str(neighbors))
    return run_in_new_process("pairs", "planning", "--measure", "list", *sizes)
