"""Configurations: what is refused, and what the fingerprint promises."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jaxtyping
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.io.config import fingerprint, from_dict, from_json, to_dict, to_json


@dataclass(frozen=True)
class Inner:
    name: str = "n16"
    radius: float = 2.0


@dataclass(frozen=True)
class Outer:
    count: int
    threshold: float = 0.5
    mode: Literal["both", "depth"] = "both"
    limit: int | None = None
    size: tuple[int, int] = (640, 480)
    levels: tuple[float, ...] = (1.0, 0.5)
    on: bool = True
    inner: Inner = field(default_factory=Inner)
    model: Inner | None = None


# printf %s 'Inner:{"name":"n16","radius":2.0}' | sha256sum | head -c 16
RECORDED = "930f8c1f3b3e0f19"

OTHER_VALUES: dict[str, Any] = {
    "count": 4,
    "threshold": 0.25,
    "mode": "depth",
    "limit": 0,
    "size": (480, 640),
    "levels": (1.0,),
    "on": False,
    "inner": Inner(radius=3.0),
    "model": Inner(),
}


@pytest.fixture(scope="module", autouse=True)
def no_shape_checker() -> Iterator[None]:
    """Users have no type checker: what they see of a wrong value is the library's own refusal."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_round_trip_keeps_types():
    config = Outer(count=3, model=Inner("n32"))
    back = from_json(Outer, to_json(config))
    assert back == config
    assert isinstance(back.size, tuple)
    assert isinstance(back.model, Inner)


def test_fields_left_out_keep_their_defaults():
    assert from_dict(Outer, {"count": 3}) == Outer(count=3)


def test_a_whole_number_is_a_float_where_one_is_meant():
    threshold = from_dict(Outer, {"count": 3, "threshold": 1}).threshold
    assert (threshold, type(threshold)) == (1.0, float)


def test_nested_values_may_be_built_already():
    assert from_dict(Outer, {"count": 3, "inner": Inner("a")}).inner == Inner("a")


def test_the_dict_is_plain():
    assert to_dict(Outer(count=3)) == {
        "count": 3,
        "threshold": 0.5,
        "mode": "both",
        "limit": None,
        "size": [640, 480],
        "levels": [1.0, 0.5],
        "on": True,
        "inner": {"name": "n16", "radius": 2.0},
        "model": None,
    }


def test_the_json_is_canonical():
    assert to_json(Inner()) == '{"name":"n16","radius":2.0}'


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"count": 3, "cuont": 1}, ["Outer", "cuont", "threshold"]),
        ({}, ["Outer", "count"]),
        ({"count": "3"}, ["Outer.count", "int", "'3'"]),
        ({"count": 3.0}, ["Outer.count", "3.0"]),
        ({"count": True}, ["Outer.count", "True"]),
        ({"count": None}, ["Outer.count", "None"]),
        ({"count": 3, "threshold": "high"}, ["Outer.threshold", "float", "'high'"]),
        ({"count": 3, "threshold": False}, ["Outer.threshold", "False"]),
        ({"count": 3, "on": 1}, ["Outer.on", "bool"]),
        ({"count": 3, "mode": "width"}, ["Outer.mode", "'both'", "'depth'", "'width'"]),
        ({"count": 3, "limit": "none"}, ["Outer.limit", "int", "None"]),
        ({"count": 3, "size": (640,)}, ["Outer.size", "2 values"]),
        ({"count": 3, "size": (640, 4.5)}, ["Outer.size", "4.5"]),
        ({"count": 3, "size": 640}, ["Outer.size", "640"]),
        ({"count": 3, "levels": (1.0, "x")}, ["Outer.levels", "'x'"]),
        ({"count": 3, "inner": {"radios": 1}}, ["Inner", "radios"]),
        ({"count": 3, "inner": "n16"}, ["Inner", "str"]),
        ([("count", 3)], ["Outer", "list"]),
    ],
)
def test_wrong_values_are_refused_by_name(values: Any, words: list[str]):
    with pytest.raises(InvalidInput) as error:
        from_dict(Outer, values)
    message = str(error.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "{", "nonsense", "{'count': 3}"])
def test_text_that_is_not_json_is_refused(text: str):
    with pytest.raises(InvalidInput, match="Outer: not JSON"):
        from_json(Outer, text)


def test_json_that_is_no_object_is_refused():
    with pytest.raises(InvalidInput, match=r"expected a dict for .*list"):
        from_json(Outer, "[1]")


def test_a_value_that_json_cannot_hold_is_refused():
    with pytest.raises(InvalidInput, match="complex"):
        to_dict(Inner(radius=1j))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_cannot_hold_are_refused(value: float):
    with pytest.raises(InvalidInput):
        to_json(Inner(radius=value))


class TestFingerprint:
    def test_is_sixteen_hexadecimal_digits(self):
        assert len(fingerprint(Outer(count=3))) == 16
        int(fingerprint(Outer(count=3)), 16)

    def test_is_equal_for_equal_settings(self):
        assert fingerprint(Outer(count=3)) == fingerprint(from_json(Outer, to_json(Outer(count=3))))

    def test_changes_with_every_field(self):
        base = Outer(count=3)
        assert set(OTHER_VALUES) == set(to_dict(base))
        changed = [fingerprint(replace(base, **{name: value})) for name, value in OTHER_VALUES.items()]
        assert len({fingerprint(base), *changed}) == len(OTHER_VALUES) + 1

    def test_changes_with_the_class(self):
        @dataclass(frozen=True)
        class Twin:
            name: str = "n16"
            radius: float = 2.0

        assert fingerprint(Twin()) != fingerprint(Inner())

    @pytest.mark.parametrize("seed", ["0", "1", "random"])
    def test_is_the_same_in_every_process(self, seed: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        program = (
            "from dataclasses import dataclass\n"
            "from tiepoint.io.config import fingerprint\n"
            "@dataclass(frozen=True)\n"
            "class Inner:\n"
            "    name: str = 'n16'\n"
            "    radius: float = 2.0\n"
            "print(fingerprint(Inner()))\n"
        )
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == fingerprint(Inner()) == RECORDED
