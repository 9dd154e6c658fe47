"""Invariances of matchers: swapped images, reordered keypoints, batches.

The network is random and small, but adaptive: pairs stop early, and keypoints are pruned. Examples are deterministic,
because near ties between two scores may be decided either way.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn.functional import normalize

from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.types import Assignment, Features

SIZE = (640, 480)
DIM = 16
COUNTS = st.integers(0, 30)
SEEDS = st.integers(0, 1 << 32)
ADAPTIVITY = {
    "full": AdaptiveInference.from_flag(False),
    "adaptive": AdaptiveInference(depth_confidence=0.6, width_confidence=0.6),
}


def random_network() -> LightGlue:
    """Random weights, with a bias that makes keypoints confident, but not in all pairs."""
    generator = torch.Generator().manual_seed(5)
    network = LightGlue(LightGlueShape(input_dim=DIM, dim=32, layers=2, heads=2)).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        gain = next((gain for part, gain in {"final_proj": 3.0, "token": 9.0}.items() if part in name), 1.0)
        parameter.copy_(gain * torch.randn(parameter.shape, generator=generator) / parameter.shape[-1] ** 0.5)
        if name.endswith("token.0.bias"):
            parameter.fill_(3.0)
        if name.endswith("matchability.bias"):
            parameter.fill_(0.0)
    return network


MATCHERS = {
    "nearest": NearestMatcher(filter_threshold=-1.0),
    **{
        name: LightGlueMatcher(random_network(), adaptivity=adaptivity, filter_threshold=0.0)
        for name, adaptivity in ADAPTIVITY.items()
    },
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors this small are computed faster by one thread than by several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


each_matcher = pytest.mark.parametrize("name", MATCHERS)
repeatable = settings(derandomize=True, deadline=None, max_examples=15)


def random_pair(m: int, n: int, seed: int) -> tuple[Features, Features]:
    """Image 1 has keypoints of image 0, shuffled and perturbed, and new ones if it has more."""
    generator = torch.Generator().manual_seed(seed)
    scene = torch.randn(max(m, n), DIM, generator=generator)
    keypoints = torch.rand(max(m, n), 2, generator=generator) * (torch.tensor(SIZE) - 1)
    shuffled = torch.randperm(max(m, n), generator=generator)[:n]
    perturbed = scene + 0.3 * torch.randn(scene.shape, generator=generator)
    return features_of(keypoints[:m], scene[:m]), features_of(keypoints[shuffled], perturbed[shuffled])


def features_of(keypoints: torch.Tensor, descriptors: torch.Tensor) -> Features:
    return Features(
        keypoints=keypoints,
        scores=torch.ones(len(keypoints)),
        descriptors=normalize(descriptors, dim=1),
        image_size=SIZE,
    )


def reordered(features: Features, order: torch.Tensor) -> Features:
    values = {name: getattr(features, name)[order] for name in ("keypoints", "scores", "descriptors")}
    return replace(features, **values)


def scored(found: Assignment) -> dict[tuple[int, int], float]:
    return {
        (i, j): score for (i, j), score in zip(found.matches.tolist(), found.scores.tolist(), strict=True)
    }


def assert_same(found: dict[tuple[int, int], float], expected: dict[tuple[int, int], float]) -> None:
    assert set(found) == set(expected)
    assert found == pytest.approx(expected, rel=0, abs=1e-5)


@pytest.mark.slow
@each_matcher
@repeatable
@given(m=COUNTS, n=COUNTS, seed=SEEDS)
def test_swapped_images_give_transposed_matches(name: str, m: int, n: int, seed: int) -> None:
    a, b = random_pair(m, n, seed)
    forward, backward = MATCHERS[name].match([(a, b), (b, a)])
    assert_same({(i, j): score for (j, i), score in scored(backward).items()}, scored(forward))
    assert torch.equal(forward.prune0, backward.prune1)
    assert torch.equal(forward.prune1, backward.prune0)
    torch.testing.assert_close(forward.matching_scores0, backward.matching_scores1, rtol=0, atol=1e-5)
    assert forward.layers_run == backward.layers_run


@each_matcher
@repeatable
@given(m=COUNTS, n=COUNTS, seed=SEEDS)
def test_reordered_keypoints_give_reordered_matches(name: str, m: int, n: int, seed: int) -> None:
    a, b = random_pair(m, n, seed)
    generator = torch.Generator().manual_seed(seed)
    order0, order1 = (torch.randperm(count, generator=generator) for count in (m, n))
    plain, mixed = MATCHERS[name].match([(a, b), (reordered(a, order0), reordered(b, order1))])
    found = {(order0[i].item(), order1[j].item()): score for (i, j), score in scored(mixed).items()}
    assert_same(found, scored(plain))  # type: ignore[arg-type]
    assert torch.equal(mixed.prune0, plain.prune0[order0])
    assert torch.equal(mixed.prune1, plain.prune1[order1])


@pytest.mark.slow
@each_matcher
@repeatable
@given(pairs=st.lists(st.tuples(COUNTS, COUNTS, SEEDS), max_size=4))
def test_batched_results_equal_those_of_single_pairs(name: str, pairs: list[tuple[int, int, int]]) -> None:
    batch = [random_pair(*pair) for pair in pairs]
    together = MATCHERS[name].match(batch)
    assert len(together) == len(batch)
    for pair, found in zip(batch, together, strict=True):
        (alone,) = MATCHERS[name].match([pair])
        assert_same(scored(found), scored(alone))
        assert torch.equal(found.prune0, alone.prune0)
        assert torch.equal(found.prune1, alone.prune1)
        assert found.layers_run == alone.layers_run


@each_matcher
@repeatable
@given(m=COUNTS, n=COUNTS, seed=SEEDS)
def test_matches_are_one_to_one_and_in_range(name: str, m: int, n: int, seed: int) -> None:
    (found,) = MATCHERS[name].match([random_pair(m, n, seed)])
    rows, columns = found.matches.T.tolist()
    assert rows == sorted(set(rows))
    assert len(set(columns)) == len(columns)
    assert set(rows) <= set(range(m))
    assert set(columns) <= set(range(n))
    if name != "nearest":
        assert all(0 < score <= 1 for score in found.scores.tolist())
        assert (found.layers_run == 0) == (m == 0 or n == 0)


@pytest.mark.slow
@repeatable
@given(m=st.integers(1, 30), n=st.integers(1, 30), seed=SEEDS, threshold=st.floats(0, 1))
def test_a_threshold_removes_matches_and_changes_none(m: int, n: int, seed: int, threshold: float) -> None:
    pair = random_pair(m, n, seed)
    strict = LightGlueMatcher(
        MATCHERS["full"].network, adaptivity=ADAPTIVITY["full"], filter_threshold=threshold
    )
    (kept,), (every,) = strict.match([pair]), MATCHERS["full"].match([pair])
    assert scored(kept) == {match: score for match, score in scored(every).items() if score > threshold}


def test_the_examples_cover_early_stopping_and_pruning() -> None:
    """Some pairs stop early, some keypoints are pruned, and most correspondences are found."""
    batch = [random_pair(25, 30, seed) for seed in range(20)]
    found = MATCHERS["adaptive"].match(batch)
    assert {1, 2} <= {matches.layers_run for matches in found}
    assert any((matches.prune0 != matches.prune0.max()).any() for matches in found)
    assert sum(len(matches.matches) for matches in MATCHERS["full"].match(batch)) > 20 * 5
