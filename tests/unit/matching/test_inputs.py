"""From one-sided arrays to a list of matches."""

import torch

from tiepoint.matching.inputs import as_matches
from tiepoint.models.lightglue.assignment import AssignmentTensors


def test_matches_are_listed_by_rising_index_of_image_0() -> None:
    assignment = AssignmentTensors(
        matches0=torch.tensor([2, -1, 0, 1]),
        matches1=torch.tensor([2, 3, 0]),
        matching_scores0=torch.tensor([0.5, 0.05, 0.75, 0.25]),
        matching_scores1=torch.tensor([0.75, 0.25, 0.5]),
    )
    found = as_matches(assignment, torch.tensor([1, 2, 3, 4]), torch.tensor([5, 6, 7]), layers_run=3)
    assert found.matches.tolist() == [[0, 2], [2, 0], [3, 1]]
    assert found.scores.tolist() == [0.5, 0.75, 0.25]
    assert found.matching_scores0.tolist() == assignment.matching_scores0.tolist()
    assert (found.prune0.tolist(), found.prune1.tolist(), found.layers_run) == (
        [1, 2, 3, 4],
        [5, 6, 7],
        3,
    )


def test_nothing_matched_is_an_empty_list() -> None:
    nobody = AssignmentTensors(
        torch.full((3,), -1), torch.empty(0, dtype=torch.long), torch.zeros(3), torch.zeros(0)
    )
    found = as_matches(nobody, torch.ones(3, dtype=torch.long), torch.ones(0, dtype=torch.long), layers_run=0)
    assert (found.matches.shape, found.scores.shape) == ((0, 2), (0,))
