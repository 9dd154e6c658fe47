"""Which pairs of features may be matched, and what is said of the others."""

from dataclasses import replace

import jaxtyping
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.matching.compatibility import check_pairs
from tiepoint.types import Features


def features(kind: str = "", columns: int = 4, count: int = 3, source: str | None = None) -> Features:
    return Features(
        keypoints=torch.zeros(count, 2),
        scores=torch.ones(count),
        descriptors=torch.ones(count, columns),
        image_size=(10, 10),
        kind=kind,
        source=source,
    )


@pytest.fixture
def without_type_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users run it: the checker that wraps the package in tests would refuse wrong types before we do."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize(
    ("pair", "kind"),
    [
        ((features("a"), features("a")), "a"),
        ((features("a"), features("a")), ""),
        ((features(""), features("")), "a"),
        ((features("a"), features("")), "a"),
        ((features(""), features("b")), ""),
        ((features("a", count=0), features("a")), "a"),
    ],
)
def test_features_of_one_kind_or_of_the_users_own_pass(pair: tuple[Features, Features], kind: str) -> None:
    check_pairs([pair], kind=kind, descriptor_dim=4)
    check_pairs([pair], kind=kind)


@pytest.mark.parametrize(
    ("pair", "kind", "wrong"),
    [
        ((features("b"), features("a")), "a", "'b', but 'a'"),
        ((features("a"), features("b")), "a", "'b', but 'a'"),
        ((features("a"), features("b")), "", "'b', but 'a'"),
        ((features("b", count=0), features("a")), "a", "'b', but 'a'"),
    ],
)
def test_another_kind_is_an_error_that_names_both(
    pair: tuple[Features, Features], kind: str, wrong: str
) -> None:
    with pytest.raises(InvalidInput, match=wrong):
        check_pairs([pair], kind=kind)


def test_another_dimension_is_an_error_that_names_both() -> None:
    with pytest.raises(InvalidInput, match="have 8 columns, but 4 are expected"):
        check_pairs([(features(), features(columns=8))], descriptor_dim=4)
    with pytest.raises(InvalidInput, match="have 8 columns, but 4 are expected"):
        check_pairs([(features(), features(columns=8))])


def test_the_file_is_named_where_it_is_known() -> None:
    with pytest.raises(InvalidInput, match=r"features of wall\.jpg were made by 'b'"):
        check_pairs([(features("a"), features("b", source="wall.jpg"))])


def test_every_pair_is_checked() -> None:
    good = features("a"), features("a")
    with pytest.raises(InvalidInput):
        check_pairs([good, good, (features("a"), replace(features(), kind="b"))])


@pytest.mark.usefixtures("without_type_checker")
@pytest.mark.parametrize(
    "wrong", [(features(),), (features(),) * 3, (features(), "b.jpg"), ("a.jpg", "b.jpg"), None, 3, "ab"]
)
def test_what_is_no_pair_is_an_error_that_says_where(wrong: object) -> None:
    with pytest.raises(InvalidInput, match=r"pair 1 must be two Features.*matcher\.extract") as error:
        check_pairs([(features(), features()), wrong])  # type: ignore[list-item]
    assert "\n" not in str(error.value)
