"""Rotation level: which pairs need it; tests/unit/matching/test_view_search.py searches whole pairs."""

from tests.helpers.colored_dots import SHIFT, dots, make_matcher

from tiepoint.matching.views.rotation_level import RotationLevel
from tiepoint.matching.views.view_match import ViewMatch


def test_only_pairs_that_fail_or_are_rotated_are_searched() -> None:
    matcher = make_matcher(None)
    same, different = (
        ViewMatch(features0=result.features0, features1=result.features1, assignment=assignment)
        for image1 in (dots(SHIFT), dots(seed=3))
        for result in [matcher.match(dots(), image1)]
        for assignment in matcher.matcher.match([(result.features0, result.features1)])
    )
    assert not RotationLevel.is_needed(same)
    assert RotationLevel.is_needed(different)
