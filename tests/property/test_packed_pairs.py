"""What must hold for any pairs of images: a pair in a batch gives what it gives alone, in every order and mixture.

The network is small and random, scaled so that pairs stop after different layers and lose keypoints on the way, and
computes in float64, so that rounding (a batch adds up in another order) decides nothing.
"""

from functools import cache

import pytest
import torch
from hypothesis import given, settings, strategies as st
from tests.helpers import packed_pairs
from tests.helpers.packed_pairs import SHAPE, Pair, random_pair
from torch.nn.functional import normalize

from tiepoint.models.lightglue.assignment import log_assignment_matrix, mutual_matches, streamed_matches
from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment, match_batch
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

COUNTS = (0, 1, 5, 300)

random_network = cache(packed_pairs.random_network)


def run(network: LightGlue, pairs: list[Pair], adaptivity: AdaptiveInference) -> list[PairAssignment]:
    positions = torch.cat([part for pair in pairs for part in pair[0::2]])
    descriptors = torch.cat([part for pair in pairs for part in pair[1::2]])
    counts = [(len(pair[0]), len(pair[2])) for pair in pairs]
    return match_batch(network, positions, descriptors, counts, adaptivity=adaptivity, filter_threshold=0.1)


def swapped(pair: Pair) -> Pair:
    return (*pair[2:], *pair[:2])


def assert_same(actual: PairAssignment, expected: PairAssignment) -> None:
    assert actual.layers_run == expected.layers_run
    assert torch.equal(actual.prune0, expected.prune0)
    assert torch.equal(actual.prune1, expected.prune1)
    assert torch.equal(actual.assignment.matches0, expected.assignment.matches0)
    assert torch.equal(actual.assignment.matches1, expected.assignment.matches1)
    for mine, theirs in zip(actual.assignment[2:], expected.assignment[2:], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


seeds = st.integers(0, 10_000)
networks = st.integers(0, 5).map(random_network)
pairs = st.builds(random_pair, st.sampled_from(COUNTS), st.sampled_from(COUNTS), seeds)
full_pairs = st.builds(random_pair, st.integers(1, 60), st.integers(1, 60), seeds)
adaptivities = st.builds(
    AdaptiveInference,
    depth_confidence=st.sampled_from([-1.0, 0.5, 0.7, 0.9]),
    width_confidence=st.sampled_from([-1.0, 0.6, 0.8, 0.95]),
    pruning_min_keypoints=st.sampled_from([None, 0, 4, 100]),
)
quick = settings(max_examples=25, deadline=None)


class TestBatches:
    @pytest.mark.slow
    @quick
    @given(
        network=networks,
        batch=st.sampled_from([1, 2, 7]).flatmap(lambda size: st.lists(pairs, min_size=size, max_size=size)),
        adaptivity=adaptivities,
    )
    def test_a_pair_in_a_batch_gives_what_it_gives_alone(
        self, network: LightGlue, batch: list[Pair], adaptivity: AdaptiveInference
    ):
        together = run(network, batch, adaptivity)
        assert len(together) == len(batch)
        for pair, result in zip(batch, together, strict=True):
            assert_same(result, run(network, [pair], adaptivity)[0])

    @pytest.mark.slow
    def test_the_batches_above_are_worth_testing(self):
        """Pairs really stop after different layers, lose keypoints and keep matches."""
        batch = [random_pair(m, n, seed) for seed in range(3) for m, n in [(60, 60), (300, 5), (5, 5)]]
        results = [
            result
            for seed in range(6)
            for result in run(random_network(seed), batch, AdaptiveInference(0.7, 0.6))
        ]
        assert {result.layers_run for result in results} == {1, 2, 3, 4}
        assert sum(len(set(result.prune0.tolist())) > 1 for result in results) >= 10
        assert sum(int((result.assignment.matches0 >= 0).sum()) for result in results) > 100

    def test_the_comparison_notices_a_stop_of_the_whole_batch(self):
        """A network whose pairs stop together, as in others' code, differs from pairs that stop alone."""
        batch = [random_pair(60, 60, seed) for seed in range(8)]
        alone = [run(random_network(2), [pair], AdaptiveInference(0.7, -1.0))[0] for pair in batch]
        last = max(result.layers_run for result in alone)
        assert min(result.layers_run for result in alone) < last
        all_layers = run(random_network(2), batch, AdaptiveInference.from_flag(False))
        first = min(range(len(batch)), key=lambda k: alone[k].layers_run)
        with pytest.raises(AssertionError):
            assert_same(all_layers[first], alone[first])

    @pytest.mark.slow
    @quick
    @given(network=networks, pair=full_pairs, others=st.lists(pairs, max_size=3), adaptivity=adaptivities)
    def test_a_pair_given_twice_gives_the_same_twice(
        self, network, pair: Pair, others: list[Pair], adaptivity
    ):
        results = run(network, [pair, *others, pair], adaptivity)
        assert_same(results[0], results[-1])

    @pytest.mark.slow
    @quick
    @given(
        network=networks,
        batch=st.lists(full_pairs, min_size=2, max_size=5),
        adaptivity=adaptivities,
        data=st.data(),
    )
    def test_the_order_of_pairs_means_nothing(
        self, network, batch: list[Pair], adaptivity, data: st.DataObject
    ):
        order = data.draw(st.permutations(range(len(batch))))
        results = run(network, batch, adaptivity)
        for place, result in zip(order, run(network, [batch[k] for k in order], adaptivity), strict=True):
            assert_same(result, results[place])


class TestSymmetry:
    @pytest.mark.slow
    @quick
    @given(network=networks, pair=full_pairs, adaptivity=adaptivities)
    def test_swapped_images_give_transposed_matches(self, network, pair: Pair, adaptivity: AdaptiveInference):
        (straight,), (turned,) = (run(network, [one], adaptivity) for one in (pair, swapped(pair)))
        matches0, matches1, scores0, scores1 = turned.assignment
        back = type(turned.assignment)(matches1, matches0, scores1, scores0)
        assert_same(PairAssignment(back, turned.prune1, turned.prune0, turned.layers_run), straight)

    @pytest.mark.slow
    @quick
    @given(network=networks, pair=full_pairs, adaptivity=adaptivities, seed=seeds)
    def test_permuted_keypoints_give_permuted_matches(self, network, pair: Pair, adaptivity, seed: int):
        order = torch.randperm(len(pair[0]), generator=torch.Generator().manual_seed(seed))
        (plain,) = run(network, [pair], adaptivity)
        (permuted,) = run(network, [(pair[0][order], pair[1][order], *pair[2:])], adaptivity)
        assert permuted.layers_run == plain.layers_run
        assert torch.equal(permuted.prune0, plain.prune0[order])
        assert torch.equal(permuted.prune1, plain.prune1)
        assert torch.equal(permuted.assignment.matches0, plain.assignment.matches0[order])
        new = permuted.assignment.matches1
        assert torch.equal(torch.where(new >= 0, order[new], -1), plain.assignment.matches1)

    @pytest.mark.slow
    @quick
    @given(network=networks, pair=full_pairs, adaptivity=adaptivities)
    def test_matches_are_one_to_one_and_above_the_threshold(
        self, network, pair: Pair, adaptivity: AdaptiveInference
    ):
        (result,) = run(network, [pair], adaptivity)
        matches0, matches1, scores0, scores1 = result.assignment
        pairs0 = {(i, j) for i, j in enumerate(matches0.tolist()) if j >= 0}
        assert pairs0 == {(i, j) for j, i in enumerate(matches1.tolist()) if i >= 0}
        for i, j in pairs0:
            assert 0.1 < scores0[i] <= 1 + 1e-6
            assert scores0[i] == scores1[j]


@quick
@given(
    m=st.integers(0, 40),
    n=st.integers(0, 40),
    block_elements=st.integers(1, 100),
    seed=seeds,
    threshold=st.sampled_from([0.0, 0.01, 0.1]),
)
def test_streamed_matches_are_those_of_the_whole_matrix(
    m: int, n: int, block_elements: int, seed: int, threshold
):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(m, 8), (n, 8), (m,), (n,)]
    inputs = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    whole = mutual_matches(log_assignment_matrix(*(value[None] for value in inputs)), threshold)
    streamed = streamed_matches(*inputs, threshold, block_elements=block_elements)
    assert torch.equal(streamed.matches0, whole.matches0[0])
    assert torch.equal(streamed.matches1, whole.matches1[0])
    torch.testing.assert_close(
        streamed.matching_scores0.double(), whole.matching_scores0[0].double(), rtol=0, atol=1e-5
    )


@quick
@given(
    m=st.integers(1, 12),
    n=st.integers(1, 12),
    kinds=st.integers(1, 3),
    block_elements=st.integers(1, 40),
    seed=seeds,
)
def test_of_equal_keypoints_the_first_ones_match(m: int, n: int, kinds: int, block_elements: int, seed: int):
    """Every keypoint is one of a few kinds; nothing but its index tells it from the others of its kind."""
    generator = torch.Generator().manual_seed(seed)
    kind0, kind1 = (torch.randint(kinds, (count,), generator=generator) for count in (m, n))
    vectors = 8 * torch.eye(kinds, 8, dtype=torch.float64)
    certain = [torch.full((count,), 4.0, dtype=torch.float64) for count in (m, n)]
    found = streamed_matches(vectors[kind0], vectors[kind1], *certain, 1e-6, block_elements=block_elements)
    first = [[kind.tolist().index(k) if k in kind else -1 for k in range(kinds)] for kind in (kind0, kind1)]
    both = [k for k in range(kinds) if first[0][k] >= 0 and first[1][k] >= 0]
    for k in both:
        assert found.matches0[first[0][k]] == first[1][k]
        assert found.matches1[first[1][k]] == first[0][k]
    assert int((found.matches0[torch.isin(kind0, torch.tensor(both))] >= 0).sum()) == len(both)


@pytest.mark.slow
def test_forty_thousand_keypoints():
    """No index may be cut to 16 bits, and no (m, m) matrix fits into memory."""
    shape = LightGlueShape(input_dim=16, dim=32, layers=1, heads=1)
    network = random_network(0, shape).float()
    # tokens stay near their descriptors, so that the right one of 40,000 is the most similar
    for name, parameter in network.named_parameters():
        if "ffn.3" in name:
            parameter.mul_(0.01)
    network.input_proj.weight.copy_(4 * torch.eye(32, 16))
    network.input_proj.bias.zero_()
    network.get_parameter("log_assignment.0.final_proj.weight").copy_(6 * torch.eye(32))
    network.get_parameter("log_assignment.0.matchability.weight").zero_()
    network.get_parameter("log_assignment.0.matchability.bias").fill_(4.0)
    generator = torch.Generator().manual_seed(0)
    positions = 2 * torch.rand(40_000, 2, generator=generator) - 1
    descriptors = normalize(torch.randn(40_000, SHAPE.input_dim, generator=generator), dim=1)
    pair = positions, descriptors, positions[-300:], descriptors[-300:]
    (result,) = run(network, [pair], AdaptiveInference.from_flag(False))
    matches0, matches1, *_ = result.assignment
    assert len(matches0) == 40_000
    matched = torch.nonzero(matches1 >= 0)[:, 0]
    assert len(matched) > 250
    assert torch.equal(matches1[matched], 40_000 - 300 + matched)
    assert torch.equal(matches0[matches1[matched]], matched)
