"""Options that a function does not use."""

import enum
import warnings

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.options import InvalidArgument, plain, reject_unknown, warn_without_effect


def test_unknown_options_are_type_errors_that_name_the_function():
    reject_unknown("load", ["size"], ["size", "seed"])
    with pytest.raises(
        TypeError, match=r"^load: unknown option 'sizee'; available: size, seed; did you mean 'size'"
    ) as caught:
        reject_unknown("load", ["seed", "sizee"], ["size", "seed"])
    assert isinstance(caught.value, InvalidArgument)
    assert isinstance(caught.value, InvalidInput)


def test_options_without_effect_warn_in_the_users_code():
    with pytest.warns(UserWarning, match="^load: proxies, trust has no effect in tiepoint$") as caught:
        warn_without_effect("load", {"proxies": {}, "trust": True, "other": 1}, ["proxies", "trust"])
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_without_effect("load", {"proxies": None, "trust": False}, ["proxies", "trust"])


def test_members_of_enumerations_become_values():
    assert plain(enum.Enum("Format", {"FIRST": "channels_first"}).FIRST) == "channels_first"
    assert plain("pt") == "pt"
