"""The table of families, and networks that are none of them."""

import dataclasses

import pytest

from tiepoint.errors import WeightsError
from tiepoint.models.lightglue.families import FAMILIES, family_of
from tiepoint.models.lightglue.network import LightGlueShape


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_are_complete(name: str):
    row = family_of(name)
    assert all((row.name == name, row.files, row.features, row.license, row.source))
    fields = {field.name for field in dataclasses.fields(LightGlueShape)}
    assert set(row.switches) <= fields
    assert dataclasses.replace(LightGlueShape(), **row.switches)


def test_only_families_without_marks_of_their_own_need_a_kind():
    assert [row.name for row in FAMILIES.values() if row.shape] == ["minima", "raco-aliked", "dedode", "rdd"]
    assert not any(row.switches for row in FAMILIES.values() if row.shape)


def test_an_unknown_family_is_an_error():
    with pytest.raises(WeightsError, match="'superglue'"):
        family_of("superglue")
