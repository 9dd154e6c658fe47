"""Validation of pairs, network inputs from Features, and Assignment from network outputs."""

from dataclasses import replace

import jaxtyping
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.matching.inputs import check_pairs, network_positions, to_assignment
from tiepoint.models.lightglue.assignment import AssignmentTensors
from tiepoint.models.lightglue.inference import PairAssignment
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.types import Features


def features(kind: str = "", dim: int = 4, count: int = 3, source: str | None = None) -> Features:
    return Features(
        keypoints=torch.zeros(count, 2),
        scores=torch.ones(count),
        descriptors=torch.ones(count, dim),
        image_size=(10, 10),
        kind=kind,
        source=source,
    )


@pytest.fixture
def without_type_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users run it: the type checker of the tests would reject wrong types first."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


class TestCheckPairs:
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
    def test_accepts_features_of_one_kind_or_of_the_user(
        self, pair: tuple[Features, Features], kind: str
    ) -> None:
        check_pairs([pair], kind=kind, descriptor_dim=4)
        check_pairs([pair], kind=kind)

    @pytest.mark.parametrize(
        ("pair", "kind"),
        [
            ((features("b"), features("a")), "a"),
            ((features("a"), features("b")), "a"),
            ((features("a"), features("b")), ""),
            ((features("b", count=0), features("a")), "a"),
        ],
    )
    def test_another_kind_is_an_error_that_names_both(
        self, pair: tuple[Features, Features], kind: str
    ) -> None:
        with pytest.raises(InvalidInput, match="'a', got 'b'"):
            check_pairs([pair], kind=kind)

    def test_another_dimension_is_an_error_that_names_both(self) -> None:
        with pytest.raises(InvalidInput, match="dimension 4, got 8"):
            check_pairs([(features(), features(dim=8))], descriptor_dim=4)
        with pytest.raises(InvalidInput, match="dimension 4, got 8"):
            check_pairs([(features(), features(dim=8))])

    def test_features_without_keypoints_have_any_dimension(self) -> None:
        empty = features(dim=8, count=0)
        for pair in ((empty, features()), (features(), empty), (empty, empty)):
            check_pairs([pair])
            check_pairs([pair], descriptor_dim=4)
        with pytest.raises(InvalidInput, match="dimension 8, got 4"):
            check_pairs([(empty, features())], descriptor_dim=8)

    def test_the_source_is_named_if_known(self) -> None:
        with pytest.raises(InvalidInput, match=r"wall\.jpg.*'b'"):
            check_pairs([(features("a"), features("b", source="wall.jpg"))])

    def test_every_pair_is_checked(self) -> None:
        valid = features("a"), features("a")
        with pytest.raises(InvalidInput):
            check_pairs([valid, valid, (features("a"), replace(features(), kind="b"))])

    @pytest.mark.usefixtures("without_type_checker")
    @pytest.mark.parametrize(
        "wrong", [(features(),), (features(),) * 3, (features(), "b.jpg"), ("a.jpg", "b.jpg"), None, 3, "ab"]
    )
    def test_other_objects_are_an_error_with_their_index(self, wrong: object) -> None:
        with pytest.raises(InvalidInput, match="pair 1") as error:
            check_pairs([(features(), features()), wrong])
        assert "\n" not in str(error.value)


class TestNetworkPositions:
    @pytest.mark.parametrize("position_dim", [3, 6])
    def test_other_numbers_of_values_are_unsupported(self, position_dim: int) -> None:
        with pytest.raises(InvalidInput, match=str(position_dim)):
            network_positions(features(), LightGlueShape(position_dim=position_dim))

    def test_scales_and_orientations_follow_the_normalized_keypoints(self) -> None:
        oriented = replace(features(), scales=torch.full((3,), 2.0), orientations=torch.full((3,), 0.5))
        assert network_positions(oriented, LightGlueShape()).tolist() == [[-1.0, -1.0]] * 3
        assert (
            network_positions(oriented, LightGlueShape(position_dim=4)).tolist()
            == [[-1.0, -1.0, 2.0, 0.5]] * 3
        )

    def test_missing_scales_are_an_error(self) -> None:
        with pytest.raises(InvalidInput, match="orientations"):
            network_positions(features(), LightGlueShape(position_dim=4))


class TestToAssignment:
    def test_matches_are_listed_by_ascending_index_of_image_0(self) -> None:
        tensors = AssignmentTensors(
            matches0=torch.tensor([2, -1, 0, 1]),
            matches1=torch.tensor([2, 3, 0]),
            matching_scores0=torch.tensor([0.5, 0.05, 0.75, 0.25]),
            matching_scores1=torch.tensor([0.75, 0.25, 0.5]),
        )
        found = to_assignment(
            PairAssignment(tensors, torch.tensor([1, 2, 3, 4]), torch.tensor([5, 6, 7]), layers_run=3)
        )
        assert found.matches.tolist() == [[0, 2], [2, 0], [3, 1]]
        assert found.scores.tolist() == [0.5, 0.75, 0.25]
        assert found.matching_scores0.tolist() == tensors.matching_scores0.tolist()
        assert found.prune0.tolist() == [1, 2, 3, 4]
        assert found.prune1.tolist() == [5, 6, 7]
        assert found.layers_run == 3

    def test_no_matches_are_an_empty_list(self) -> None:
        unmatched = AssignmentTensors(
            torch.full((3,), -1), torch.empty(0, dtype=torch.long), torch.zeros(3), torch.zeros(0)
        )
        ones = torch.ones(3, dtype=torch.long), torch.ones(0, dtype=torch.long)
        found = to_assignment(PairAssignment(unmatched, *ones, layers_run=0))
        assert (found.matches.shape, found.scores.shape) == ((0, 2), (0,))
