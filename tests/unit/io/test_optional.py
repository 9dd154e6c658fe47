"""Optional libraries."""

import json

import pytest

from tiepoint.errors import MissingDependency
from tiepoint.io.optional import import_optional


def test_installed_libraries_are_imported() -> None:
    assert import_optional("json", purpose="the test", install="json") is json


def test_missing_libraries_name_the_pip_command() -> None:
    with pytest.raises(
        MissingDependency, match=r"the 3-D view requires nowhere.*pip install 'tiepoint\[x\]'"
    ):
        import_optional("nowhere.sub", purpose="the 3-D view", install="tiepoint[x]")
