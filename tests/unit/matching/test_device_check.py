"""The self-check accepts devices that agree with the CPU, and names the device and the loss where they do not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from tests.helpers.fake_networks import IdentityDetector

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.matching import device_check
from tiepoint.matching.device_check import SHIFT, check_device, tiny_pair
from tiepoint.matching.inputs import FeaturePair
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.types import Assignment


class LosingMatcher(NearestMatcher):
    """Loses a fraction of the matches, as a faulty device does; the CPU's copy does not."""

    def __init__(self, lost: float) -> None:
        super().__init__()
        self.lost = lost
        self.calls = 0

    def match(self, pairs: Sequence[FeaturePair]) -> list[Assignment]:
        """Lose matches in every call but the first, which is the CPU's."""
        self.calls += 1
        return [self._lose(assignment) for assignment in super().match(pairs)]

    def _lose(self, assignment: Assignment) -> Assignment:
        if self.calls == 1:
            return assignment
        keep = round((1 - self.lost) * len(assignment.matches))
        return replace(assignment, matches=assignment.matches[:keep], scores=assignment.scores[:keep])


class RemoteMatcher(LightGlueMatcher):
    """Claims to run on an Apple GPU."""

    @property
    def device(self) -> torch.device:
        """The claimed device."""
        return torch.device("mps")


@pytest.fixture
def extractor() -> NeuralExtractor:
    return NeuralExtractor(IdentityDetector(), ExtractionSettings(kind="identity", resize=None))


def test_the_second_image_is_the_first_moved() -> None:
    first, second = (image.pixels for image in tiny_pair())
    assert torch.equal(first[:, SHIFT:, SHIFT:], second[:, :-SHIFT, :-SHIFT])
    assert torch.equal(first, tiny_pair()[0].pixels)
    assert first.std() > 0.1


def test_only_devices_in_the_table_are_checked(extractor: NeuralExtractor) -> None:
    check_device(extractor, LosingMatcher(1.0))


@pytest.mark.parametrize("lost", [0.0, 0.1])
def test_a_device_that_agrees_is_accepted(
    extractor: NeuralExtractor, lost: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_check, "CHECKED_DEVICE_TYPES", ("cpu",))
    check_device(extractor, LosingMatcher(lost))


@pytest.mark.parametrize("lost", [0.5, 1.0])
def test_a_device_that_loses_matches_is_refused(
    extractor: NeuralExtractor, lost: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_check, "CHECKED_DEVICE_TYPES", ("cpu",))
    with pytest.raises(InvalidInput, match=r"'cpu'.*matches.*device='cpu'"):
        check_device(extractor, LosingMatcher(lost))


def test_the_device_of_the_matcher_is_checked_too(
    extractor: NeuralExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIFT is on the CPU, whatever the device of the network."""
    matcher = RemoteMatcher(LightGlue(LightGlueShape(input_dim=3, dim=8, layers=1, heads=1)))
    extractors: list[NeuralExtractor] = []

    def match_tiny_pair(extractor: NeuralExtractor, matcher: LightGlueMatcher) -> torch.Tensor:
        extractors.append(extractor)
        return torch.zeros(0 if isinstance(matcher, RemoteMatcher) else 9, 4)

    monkeypatch.setattr(device_check, "_match_tiny_pair", match_tiny_pair)
    with pytest.raises(InvalidInput, match="'mps': of 9 matches"):
        check_device(extractor, matcher)
    assert extractors == [extractor, extractor]
