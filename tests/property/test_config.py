"""Any configuration survives JSON, and two differ in their fingerprints exactly when they differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import jaxtyping
import pytest
from hypothesis import assume, given, strategies as st

from tiepoint.io.config import fingerprint, from_dict, from_json, to_dict, to_json


@dataclass(frozen=True)
class Part:
    name: str
    scale: float | None


@dataclass(frozen=True)
class Settings:
    count: int
    threshold: float
    on: bool
    mode: Literal["both", "depth", "width"]
    size: tuple[int, float]
    parts: tuple[Part, ...]
    part: Part | None
    text: str | int


FINITE = st.floats(allow_nan=False, allow_infinity=False)
PARTS = st.builds(Part, name=st.text(), scale=st.none() | FINITE)
SETTINGS = st.builds(
    Settings,
    count=st.integers(),
    threshold=FINITE,
    on=st.booleans(),
    mode=st.sampled_from(["both", "depth", "width"]),
    size=st.tuples(st.integers(), FINITE),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    part=st.none() | PARTS,
    text=st.text() | st.integers(),
)


@pytest.fixture(scope="module", autouse=True)
def no_shape_checker() -> Iterator[None]:
    """The checker refuses a wrong type before `from_dict` can try the other members of a union."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.slow
@given(SETTINGS)
def test_json_round_trip(settings: Settings):
    back = from_json(Settings, to_json(settings))
    assert back == settings
    assert to_json(back) == to_json(settings)


@given(SETTINGS)
@pytest.mark.slow
def test_dict_round_trip(settings: Settings):
    assert from_dict(Settings, to_dict(settings)) == settings


@pytest.mark.slow
@given(SETTINGS, SETTINGS)
def test_fingerprints_differ_where_settings_do(first: Settings, second: Settings):
    assume(first != second)
    assert fingerprint(first) != fingerprint(second)


@pytest.mark.slow
@given(SETTINGS)
def test_the_order_of_fields_in_a_dict_means_nothing(settings: Settings):
    turned = dict(reversed(to_dict(settings).items()))
    assert fingerprint(from_dict(Settings, turned)) == fingerprint(settings)
