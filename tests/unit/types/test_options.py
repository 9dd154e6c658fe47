"""The keyword options of `tiepoint.load`: documented, and the same as the fields that validate them."""

import re
from dataclasses import fields
from typing import get_type_hints

import pytest

from tiepoint.loading.config import LoadConfig
from tiepoint.types.options import LoadOptions, NetworkOptions

DEFAULTS = {field.name: field.default for field in fields(LoadConfig)}


def documented(options: type) -> dict[str, str]:
    """Description of each attribute in the docstring."""
    parts = re.split(r"^ {8}(\w+): ", (options.__doc__ or "").split("Attributes:")[1], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("options", [NetworkOptions, LoadOptions])
def test_every_option_of_its_own_is_documented(options: type):
    inherited = {*get_type_hints(NetworkOptions)} if options is LoadOptions else set()
    assert [*documented(options)] == [name for name in get_type_hints(options) if name not in inherited]


def test_all_options_are_optional():
    assert LoadOptions.__required_keys__ == frozenset()


def test_options_are_the_fields_of_the_configuration():
    assert {*get_type_hints(LoadOptions)} == DEFAULTS.keys()


@pytest.mark.parametrize("name", [*documented(NetworkOptions), *documented(LoadOptions)])
def test_documented_defaults_are_those_of_the_configuration(name: str):
    text = (documented(NetworkOptions) | documented(LoadOptions))[name]
    (default,) = re.findall(r"Default:\s+(\S+)\.\s*$", text)
    expected = DEFAULTS[name]
    assert default == (f'"{expected}"' if isinstance(expected, str) else str(expected))
