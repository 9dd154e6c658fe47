"""Adaptive inference against the obvious loop: one pair, dense tensors, one keypoint decided after the other.

The layers themselves are checked in test_lightglue.py; here they are taken from the network. The network is random,
scaled so that pairs stop after different layers, lose keypoints on the way and still have matches; a test says so.
"""

import math
from typing import Any

import pytest
import torch
from tests.helpers.packed_pairs import SHAPE, Pair, random_network, random_pair
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tiepoint.models.lightglue.assignment import log_assignment_matrix, mutual_matches
from tiepoint.models.lightglue.attention import DenseAttention
from tiepoint.models.lightglue.fused_layers import fuse
from tiepoint.models.lightglue.inference import (
    AdaptiveInference,
    PairAssignment,
    confidence_threshold,
    match_batch,
)
from tiepoint.models.lightglue.network import LightGlue

THRESHOLD = 0.1
ADAPTIVE = AdaptiveInference(depth_confidence=0.7, width_confidence=0.7)
MODES = {
    "both": ADAPTIVE,
    "depth": AdaptiveInference(depth_confidence=0.7, width_confidence=-1.0),
    "width": AdaptiveInference(depth_confidence=-1.0, width_confidence=0.7),
    "zero switches off too": AdaptiveInference(depth_confidence=0.0, width_confidence=0.0),
    "large images only": AdaptiveInference(
        depth_confidence=0.7, width_confidence=0.7, pruning_min_keypoints=40
    ),
}
SIZES = [(60, 60), (90, 40), (5, 60), (41, 40), (1, 1), (7, 3)]


def run(
    network: LightGlue, pairs: list[Pair], adaptivity: AdaptiveInference, **options: Any
) -> list[PairAssignment]:
    positions = torch.cat([part for pair in pairs for part in pair[0::2]])
    descriptors = torch.cat([part for pair in pairs for part in pair[1::2]])
    counts = [(len(pair[0]), len(pair[2])) for pair in pairs]
    return match_batch(
        fuse(network),
        positions,
        descriptors,
        counts,
        adaptivity=adaptivity,
        filter_threshold=THRESHOLD,
        **options,
    )


def probability(network: LightGlue, name: str, x: Tensor) -> list[float]:
    weight, bias = network.get_parameter(f"{name}.weight"), network.get_parameter(f"{name}.bias")
    return torch.sigmoid(x @ weight[0] + bias).tolist()


def match_by_hand(
    network: LightGlue, pair: Pair, adaptivity: AdaptiveInference, min_keypoints: int = 0
) -> PairAssignment:
    """The loop of the paper's section 3.3 for one pair."""
    positions, descriptors = pair[0::2], pair[1::2]
    counts = [len(image) for image in positions]
    layers, deep, wide = SHAPE.layers, adaptivity.depth_confidence > 0, adaptivity.width_confidence > 0
    left = [list(range(count)) for count in counts]
    survived = [[1 if wide else layers] * count for count in counts]
    tokens = [network.embed(*image)[0] for image in zip(positions, descriptors, strict=True)]
    layers_run = 0
    while layers_run < layers and all(left):
        layer = layers_run
        m, n = map(len, left)
        where = torch.cat([positions[0][left[0]], positions[1][left[1]]])
        rotation = network.embed(where, torch.zeros(m + n, SHAPE.input_dim, dtype=torch.float64))[1]
        rotation = tuple(part[None] for part in rotation)
        x = next(network.layers(torch.cat(tokens)[None], rotation, DenseAttention(m, n), start=layer))[0]
        tokens = [x[:m], x[m:]]
        layers_run += 1
        if layers_run == layers:
            break
        threshold = 0.8 + 0.1 * math.exp(-4 * layer / layers)
        sure = [probability(network, f"token_confidence.{layer}.token.0", image) for image in tokens]
        unsure = sum(c < threshold for image in sure for c in image)
        if deep and 1 - unsure / sum(counts) > adaptivity.depth_confidence:
            break
        for k in range(2):
            if not wide or len(left[k]) <= min_keypoints:
                continue
            matchable = probability(network, f"log_assignment.{layer}.matchability", tokens[k])
            keep = [
                z > 1 - adaptivity.width_confidence or (deep and c <= threshold)
                for z, c in zip(matchable, sure[k], strict=True)
            ]
            left[k] = [index for index, kept in zip(left[k], keep, strict=True) if kept]
            tokens[k] = tokens[k][torch.tensor(keep)]
            for index in left[k]:
                survived[k][index] += 1
    assignment = assign_by_hand(network, tokens, left, counts, max(layers_run - 1, 0))
    return PairAssignment(assignment, *map(torch.tensor, survived), layers_run)


def assign_by_hand(
    network: LightGlue, tokens: list[Tensor], left: list[list[int]], counts: list[int], layer: int
):
    """The matches of the tokens that are left, brought back to the original indices one by one."""
    (vectors0, logits0), (vectors1, logits1) = (network.head(layer)(image[None]) for image in tokens)
    found = mutual_matches(log_assignment_matrix(vectors0, vectors1, logits0, logits1), THRESHOLD)
    whole = type(found)(*(torch.full((c,), -1) for c in counts), *(torch.zeros(c) for c in counts))
    for k in range(2):
        mine, theirs = left[k], left[1 - k]
        for short, index in enumerate(mine):
            whole[2 + k][index] = found[2 + k][0, short]
            partner = int(found[k][0, short])
            whole[k][index] = theirs[partner] if partner >= 0 else -1
    return whole


def assert_same(actual: PairAssignment, expected: PairAssignment) -> None:
    assert actual.layers_run == expected.layers_run
    assert actual.prune0.tolist() == expected.prune0.tolist()
    assert actual.prune1.tolist() == expected.prune1.tolist()
    assert actual.assignment.matches0.tolist() == expected.assignment.matches0.tolist()
    assert actual.assignment.matches1.tolist() == expected.assignment.matches1.tolist()
    for mine, theirs in zip(actual.assignment[2:], expected.assignment[2:], strict=True):
        torch.testing.assert_close(mine.double(), theirs.double(), rtol=0, atol=1e-5)


def is_same(actual: PairAssignment, expected: PairAssignment) -> bool:
    try:
        assert_same(actual, expected)
    except AssertionError:
        return False
    return True


@pytest.fixture(scope="module")
def network() -> LightGlue:
    return random_network()


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [random_pair(m, n, seed) for seed in range(4) for m, n in SIZES]


class TestOnePair:
    @pytest.mark.slow
    @pytest.mark.parametrize("mode", MODES)
    def test_is_the_loop(self, network: LightGlue, pairs: list[Pair], mode: str):
        adaptivity = MODES[mode]
        for pair in pairs:
            (actual,) = run(network, [pair], adaptivity)
            assert_same(
                actual, match_by_hand(network, pair, adaptivity, adaptivity.pruning_min_keypoints or 0)
            )

    def test_the_pairs_reach_every_rule(self, network: LightGlue, pairs: list[Pair]):
        """Without this, the comparison above could pass without a stop or a pruning."""
        results = run(network, pairs, ADAPTIVE)
        assert {result.layers_run for result in results} == {1, 2, 3, 4}
        pruned = [result for result in results if len(set(result.prune0.tolist())) > 1]
        assert len(pruned) > len(results) / 4
        assert all(int((result.assignment.matches0 >= 0).sum()) > 0 for result in results[:2])
        matched_after_pruning = [result for result in pruned if bool((result.assignment.matches0 >= 0).any())]
        assert matched_after_pruning

    @pytest.mark.slow
    @pytest.mark.parametrize("other", ["depth", "width", "zero switches off too", "large images only"])
    def test_the_loop_notices_another_rule(self, network: LightGlue, pairs: list[Pair], other: str):
        results = run(network, pairs, MODES[other])
        by_hand = [match_by_hand(network, pair, ADAPTIVE) for pair in pairs]
        assert not all(map(is_same, results, by_hand))

    def test_a_keypoint_without_a_match_does_not_write_into_the_last_one(
        self, network: LightGlue, pairs: list[Pair]
    ):
        """In others' code -1 indexes the last keypoint: its match is lost as soon as any keypoint has none."""
        kept = 0
        for result in run(network, pairs, ADAPTIVE):
            for matches, back, survived in (
                (result.assignment.matches0, result.assignment.matches1, result.prune0),
                (result.assignment.matches1, result.assignment.matches0, result.prune1),
            ):
                assert all(back[j] == i for i, j in enumerate(matches.tolist()) if j >= 0)
                unmatched_and_pruned = bool((matches[:-1] == -1).any()) and len(set(survived.tolist())) > 1
                kept += int(matches[-1] >= 0 and unmatched_and_pruned)
        assert kept > 0

    def test_all_keypoints_pruned(self, network: LightGlue):
        """Nobody is matchable, everybody is sure: images are empty after the first layer."""
        unmatchable = random_network()
        for layer in range(SHAPE.layers):
            unmatchable.get_parameter(f"log_assignment.{layer}.matchability.bias").fill_(-1e3)
        adaptivity = AdaptiveInference(depth_confidence=-1.0, width_confidence=0.99)
        (result,) = run(unmatchable, [random_pair(6, 4)], adaptivity)
        assert result.layers_run == 1
        assert result.prune0.tolist() == [1] * 6
        assert result.assignment.matches1.tolist() == [-1] * 4
        assert result.assignment.matching_scores0.tolist() == [0.0] * 6


class TestEmptyImages:
    @pytest.mark.parametrize("counts", [(0, 0), (0, 5), (5, 0)])
    @pytest.mark.parametrize(("mode", "survived"), [("both", 1), ("depth", SHAPE.layers), ("width", 1)])
    def test_run_no_layer(self, network: LightGlue, counts: tuple[int, int], mode: str, survived: int):
        m, n = counts
        (result,) = run(network, [random_pair(m, n)], MODES[mode])
        assert result.layers_run == 0
        assert result.assignment.matches0.tolist() == [-1] * m
        assert result.assignment.matches1.tolist() == [-1] * n
        assert result.assignment.matching_scores0.tolist() == [0.0] * m
        assert result.assignment.matching_scores1.tolist() == [0.0] * n
        assert result.prune0.tolist() == [survived] * m
        assert result.prune1.tolist() == [survived] * n

    def test_do_not_disturb_their_neighbors(self, network: LightGlue):
        full = random_pair(20, 30)
        pairs = [random_pair(0, 4), full, random_pair(4, 0), random_pair(0, 0), full]
        results = run(network, pairs, ADAPTIVE)
        assert [result.layers_run > 0 for result in results] == [False, True, False, False, True]
        for result in (results[1], results[4]):
            assert_same(result, match_by_hand(network, full, ADAPTIVE))

    def test_no_pair_at_all(self, network: LightGlue):
        nothing = torch.zeros(0, 2), torch.zeros(0, SHAPE.input_dim).double()
        assert match_batch(network, *nothing, [], adaptivity=ADAPTIVE, filter_threshold=THRESHOLD) == []


class TestPackedAndDense:
    @pytest.mark.parametrize(("m", "n"), [(1, 1), (30, 20), (5, 60)])
    def test_agree_without_adaptivity(self, network: LightGlue, m: int, n: int):
        pair = random_pair(m, n)
        (packed,) = run(network, [pair], AdaptiveInference.from_flag(False))
        dense = mutual_matches(network(*(part[None] for part in pair)), THRESHOLD)
        assert packed.layers_run == SHAPE.layers
        assert packed.assignment.matches0.tolist() == dense.matches0[0].tolist()
        assert packed.assignment.matches1.tolist() == dense.matches1[0].tolist()
        torch.testing.assert_close(
            packed.assignment.matching_scores0.double(), dense.matching_scores0[0].double(), rtol=0, atol=1e-5
        )

    def test_agree_with_padding(self, network: LightGlue):
        pairs = [random_pair(30, 20, 1), random_pair(3, 25, 2), random_pair(11, 1, 3)]
        stacked = [
            torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True, padding_value=9.0)
            for parts in zip(*pairs, strict=True)
        ]
        masks = [
            torch.arange(stacked[k].shape[1]) < torch.tensor([[len(pair[k])] for pair in pairs])
            for k in (0, 2)
        ]
        dense = mutual_matches(network(*stacked, *masks), THRESHOLD)
        for k, packed in enumerate(run(network, pairs, AdaptiveInference.from_flag(False))):
            m, n = len(pairs[k][0]), len(pairs[k][2])
            assert dense.matches0[k].tolist() == [*packed.assignment.matches0.tolist(), *[-1] * (30 - m)]
            assert dense.matches1[k].tolist() == [*packed.assignment.matches1.tolist(), *[-1] * (25 - n)]


class TestAdaptivity:
    def test_the_thresholds_are_the_papers(self):
        expected = [0.9000, 0.8641, 0.8411, 0.8264, 0.8169, 0.8108, 0.8069, 0.8045]
        assert [confidence_threshold(layer, 9) for layer in range(8)] == pytest.approx(expected, abs=5e-5)

    def test_names(self):
        assert AdaptiveInference.from_flag(True) == AdaptiveInference() == AdaptiveInference(0.95, 0.99, None)
        off, depth, width = (AdaptiveInference.from_flag(name) for name in (False, "depth", "width"))
        assert off.depth_confidence <= 0
        assert off.width_confidence <= 0
        assert depth.depth_confidence == 0.95
        assert depth.width_confidence <= 0
        assert width.depth_confidence <= 0
        assert width.width_confidence == 0.99

    def test_the_pruning_threshold_depends_on_the_device(self):
        devices = [torch.device(name) for name in ("cpu", "mps", "cuda", "cuda:1")]
        thresholds = [AdaptiveInference().for_device(device).pruning_min_keypoints for device in devices]
        assert thresholds == [0, 0, 1536, 1536]
        for count in (7, 0):
            given = AdaptiveInference(pruning_min_keypoints=count)
            assert given.for_device(torch.device("cuda")) == given


@pytest.mark.slow
def test_the_original_network_gives_the_same_as_its_fused_form(
    network: LightGlue, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
):
    fused = run(network, pairs, ADAPTIVE)
    monkeypatch.setitem(globals(), "fuse", lambda network: network)
    for result, expected in zip(run(network, pairs, ADAPTIVE), fused, strict=True):
        assert_same(result, expected)


def test_two_calls_give_the_same_bits(network: LightGlue, pairs: list[Pair]):
    for first, second in zip(run(network, pairs, ADAPTIVE), run(network, pairs, ADAPTIVE), strict=True):
        assert first.layers_run == second.layers_run
        assert all(torch.equal(a, b) for a, b in zip(first.assignment, second.assignment, strict=True))


@pytest.mark.slow
def test_inputs_stay_as_they_were(network: LightGlue):
    pair = random_pair(30, 20)
    before = [part.clone() for part in pair]
    run(network, [pair], ADAPTIVE)
    assert all(torch.equal(a, b) for a, b in zip(pair, before, strict=True))


class TestFewerLayers:
    """`max_layers` and a clock."""

    @pytest.mark.parametrize("max_layers", [1, 2, 3])
    def test_a_pair_that_stops_early_is_not_changed(
        self, network: LightGlue, pairs: list[Pair], max_layers: int
    ) -> None:
        everything, limited = (
            run(network, pairs, ADAPTIVE, max_layers=layers) for layers in (None, max_layers)
        )
        for full, result in zip(everything, limited, strict=True):
            if full.layers_run < max_layers:
                assert_same(result, full)
            assert result.layers_run == min(full.layers_run, max_layers)

    def test_the_last_layer_assigns_with_its_own_head(self, network: LightGlue, pairs: list[Pair]) -> None:
        for result, pair in zip(
            run(network, pairs, MODES["zero switches off too"], max_layers=2), pairs, strict=True
        ):
            m, n = len(pair[0]), len(pair[2])
            rotation = network.embed(torch.cat(pair[0::2]), torch.cat(pair[1::2]))
            x, rotation = rotation[0][None], tuple(part[None] for part in rotation[1])
            steps = network.layers(x, rotation, DenseAttention(m, n))
            tokens = [next(steps), next(steps)][1][0]
            left = [list(range(m)), list(range(n))]
            expected = assign_by_hand(network, [tokens[:m], tokens[m:]], left, [m, n], layer=1)
            assert result.assignment.matches0.tolist() == expected.matches0.tolist()

    def test_batches_equal_single_pairs(self, network: LightGlue, pairs: list[Pair]) -> None:
        for result, pair in zip(run(network, pairs, ADAPTIVE, max_layers=2), pairs, strict=True):
            assert_same(result, run(network, [pair], ADAPTIVE, max_layers=2)[0])

    def test_more_layers_than_the_network_has_are_all(self, network: LightGlue, pairs: list[Pair]) -> None:
        for result, expected in zip(
            run(network, pairs, ADAPTIVE, max_layers=99), run(network, pairs, ADAPTIVE), strict=True
        ):
            assert_same(result, expected)
            assert result.stopped_by == expected.stopped_by

    @pytest.mark.parametrize("checks", [0, 1, 2])
    def test_a_clock_without_time_equals_fewer_layers(self, network: LightGlue, checks: int) -> None:
        pair = random_pair(60, 60)
        clock = CountingClock(checks)
        (result,) = run(network, [pair], MODES["width"], clock=clock)
        (expected,) = run(network, [pair], MODES["width"], max_layers=checks + 1)
        assert_same(result, expected)
        assert (result.stopped_by, expected.stopped_by) == ("latency_budget", "max_layers")
        assert result.layers_run == checks + 1 == len(clock.tokens)

    def test_a_clock_gets_the_tokens_that_are_left(self, network: LightGlue) -> None:
        clock = CountingClock(9)
        (result,) = run(network, [random_pair(60, 60)], MODES["width"], clock=clock)
        prunes = result.prune0, result.prune1
        survived = [sum(int((prune > layer).sum()) for prune in prunes) for layer in range(1, SHAPE.layers)]
        assert clock.tokens == survived
        assert clock.tokens[-1] < 120, "nothing was pruned: no test"

    def test_the_last_layer_is_not_followed_by_a_check(self, network: LightGlue) -> None:
        clock = CountingClock(9)
        run(network, [random_pair(30, 20)], MODES["zero switches off too"], clock=clock)
        assert len(clock.tokens) == SHAPE.layers - 1

    def test_every_reason_is_given(self, network: LightGlue, pairs: list[Pair]) -> None:
        results = run(network, [*pairs, random_pair(0, 5)], ADAPTIVE)
        assert {result.stopped_by for result in results} == {"confidence", "last_layer", "no_keypoints"}
        for result in results:
            if result.stopped_by == "last_layer":
                assert result.layers_run == SHAPE.layers
            if result.stopped_by == "confidence":
                assert 0 < result.layers_run < SHAPE.layers


class CountingClock:
    """Has time for a number of checks, and notes the tokens of each."""

    def __init__(self, checks: int) -> None:
        self.checks = checks
        self.tokens: list[int] = []

    def has_time(self, num_tokens: int) -> bool:
        self.tokens.append(num_tokens)
        return len(self.tokens) <= self.checks


def test_worst_case_thresholds_stop_and_prune_nothing(network: LightGlue) -> None:
    pair = random_pair(60, 60)
    (result,) = run(network, [pair], ADAPTIVE.without_effect())
    assert (result.layers_run, result.stopped_by) == (SHAPE.layers, "last_layer")
    assert set(result.prune0.tolist()) == {SHAPE.layers}
    assert MODES["zero switches off too"].without_effect() == MODES["zero switches off too"]


class WaitsOfAGPU(TorchDispatchMode):
    """Notes the operations after which a GPU's results must reach the CPU before the program can go on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        by_mask = name in ("index", "index_put_") and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        sized = name == "repeat_interleave" and (kwargs or {}).get("output_size") is not None
        if name in ("nonzero", "_local_scalar_dense", "masked_select", "unique") or by_mask:
            self.seen.append(name)
        if name == "repeat_interleave" and not sized:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


def test_a_gpu_is_waited_for_once_a_layer(network: LightGlue, monkeypatch: pytest.MonkeyPatch):
    lists: list[int] = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: lists.append(self.numel()) or tolist(self))
    pairs = [random_pair(30, 20, 1), random_pair(3, 25, 2), random_pair(11, 9, 3)]
    with WaitsOfAGPU() as waits:
        results = run(network, pairs, ADAPTIVE)
    assert waits.seen == []
    assert len(lists) <= max(result.layers_run for result in results)
    assert any(len(set(result.prune0.tolist())) > 1 for result in results), "nothing was pruned: no test"


def test_the_notes_above_notice_waiting():
    with WaitsOfAGPU() as waits:
        flags = torch.tensor([True, False])
        (
            flags.nonzero(),
            torch.arange(2)[flags],
            flags.any().item(),
            flags.repeat_interleave(torch.tensor([1, 2])),
        )
    assert {"nonzero", "index", "_local_scalar_dense", "repeat_interleave"} <= set(waits.seen)
