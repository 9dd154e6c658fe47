"""Ground truth and losses are consistent under permutation, padding and swapping of the images."""

import numpy as np
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from tiepoint.geometry.ground_truth import IGNORED, UNMATCHED, GroundTruth, ground_truth_from_homography
from tiepoint.geometry.multiview import warp_points
from tiepoint.models.lightglue.assignment import log_assignment_matrix
from tiepoint.models.lightglue.training import LayerOutput
from tiepoint.training.data.pairs import SoftTargets
from tiepoint.training.data.random_homography import HomographyConfig, random_homography
from tiepoint.training.distillation import top_k_targets
from tiepoint.training.loss import distillation_loss, matching_loss

SIZES = st.tuples(st.integers(64, 900), st.integers(64, 900))
COUNTS = st.integers(0, 40)
SEEDS = st.integers(0, 10_000)
WARPS = st.builds(
    HomographyConfig,
    difficulty=st.floats(0, 1),
    translation=st.floats(0, 1),
    max_angle_deg=st.floats(0, 180),
)


def random_pair(seed: int, m: int, n: int) -> tuple[Tensor, Tensor, np.ndarray]:
    """Keypoints of two warps of an image, and the homography between the warps."""
    rng = np.random.default_rng(seed)
    first, second = (random_homography(rng, (200, 160), (100, 80), HomographyConfig()) for _ in range(2))
    points = (torch.from_numpy(rng.uniform(0, [99, 79], (count, 2))) for count in (m, n))
    return *points, np.linalg.inv(second) @ first


def random_output(seed: int, m: int, n: int, mask0: Tensor, mask1: Tensor) -> LayerOutput:
    generator = torch.Generator().manual_seed(seed)
    values = [
        torch.randn(1, *s, generator=generator, dtype=torch.float64) for s in ((m, 4), (n, 4), (m,), (n,))
    ]
    logits = [torch.randn(1, count, generator=generator, dtype=torch.float64) for count in (m, n)]
    return LayerOutput(log_assignment_matrix(*values, mask0, mask1), *logits)


def random_truth(seed: int, m: int, n: int) -> GroundTruth:
    rng = np.random.default_rng(seed)
    matches0, matches1 = rng.choice([UNMATCHED, IGNORED], m), rng.choice([UNMATCHED, IGNORED], n)
    k = int(rng.integers(0, min(m, n) + 1))
    pairs0, pairs1 = rng.permutation(m)[:k], rng.permutation(n)[:k]
    matches0[pairs0], matches1[pairs1] = pairs1, pairs0
    return GroundTruth(torch.from_numpy(matches0), torch.from_numpy(matches1))


@settings(max_examples=60)
@given(SEEDS, SIZES, SIZES, WARPS)
def test_warp_is_inside_its_image(
    seed: int, image_size: tuple[int, int], warp_size: tuple[int, int], config: HomographyConfig
):
    H = random_homography(np.random.default_rng(seed), image_size, warp_size, config)
    grid = np.stack(
        np.meshgrid(np.linspace(0, warp_size[0] - 1, 9), np.linspace(0, warp_size[1] - 1, 9)), -1
    ).reshape(-1, 2)
    points = warp_points(grid, H)
    assert (points > -0.5 - 1e-6).all()
    assert (points < np.array(image_size) - 0.5 + 1e-6).all()


@settings(max_examples=40)
@given(SEEDS, COUNTS, COUNTS)
def test_matches_are_mutual_and_symmetric(seed: int, m: int, n: int):
    keypoints0, keypoints1, H = random_pair(seed, m, n)
    truth = ground_truth_from_homography(keypoints0, keypoints1, H)
    swapped = ground_truth_from_homography(keypoints1, keypoints0, np.linalg.inv(H))
    assert swapped.matches1.tolist() == truth.matches0.tolist()
    assert swapped.matches0.tolist() == truth.matches1.tolist()
    for i, j in enumerate(truth.matches0.tolist()):
        assert j in (UNMATCHED, IGNORED) or truth.matches1[j] == i
    assert int((truth.matches0 >= 0).sum()) == int((truth.matches1 >= 0).sum())


@settings(max_examples=40)
@given(SEEDS, COUNTS, COUNTS)
def test_labels_follow_permuted_keypoints(seed: int, m: int, n: int):
    keypoints0, keypoints1, H = random_pair(seed, m, n)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(m))
    truth = ground_truth_from_homography(keypoints0, keypoints1, H)
    permuted = ground_truth_from_homography(keypoints0[order], keypoints1, H)
    assert permuted.matches0.tolist() == truth.matches0[order].tolist()


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 12), st.integers(1, 12), st.integers(0, 5), st.integers(0, 5))
def test_padding_does_not_change_the_loss(seed: int, m: int, n: int, more0: int, more1: int):
    """Compare the same keypoints without padding and with arbitrary values in the padding."""
    found = []
    truth = random_truth(seed, m, n)
    rows = torch.nn.functional.pad
    for extra0, extra1 in ((0, 0), (more0, more1)):
        mask0, mask1 = (
            rows(torch.ones(1, k, dtype=torch.bool), (0, e)) for k, e in ((m, extra0), (n, extra1))
        )
        outputs = []
        for layer in range(2):
            unpadded = random_output(seed + layer, m, n, mask0[:, :m], mask1[:, :n])
            la = unpadded.log_assignment
            wide = la.new_full((1, m + extra0 + 1, n + extra1 + 1), -torch.inf)
            wide[:, :m, :n], wide[:, :m, -1], wide[:, -1, :n] = la[:, :m, :n], la[:, :m, -1], la[:, -1, :n]
            wide[:, -1, -1] = 0
            logits0, logits1 = unpadded.confidence_logits0, unpadded.confidence_logits1
            assert logits0 is not None
            assert logits1 is not None
            outputs.append(
                LayerOutput(wide, rows(logits0, (0, extra0), value=9.0), rows(logits1, (0, extra1)))
            )
        labels = (
            rows(labels[None], (0, extra), value=IGNORED)
            for labels, extra in zip(truth, (extra0, extra1), strict=True)
        )
        terms = matching_loss(outputs, *labels, mask0, mask1)
        narrow = top_k_targets(random_output(seed + 2, m, n, mask0[:, :m], mask1[:, :n]).log_assignment[0])
        pads = (extra0, extra0, extra1, extra1)
        wide_targets = SoftTargets(
            *(rows(x[None], (0, 0, 0, extra)) for x, extra in zip(narrow, pads, strict=True))
        )
        distance = distillation_loss(outputs, wide_targets, mask0, mask1)
        found.append([*(float(term) for term in terms), float(distance)])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-12)


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 12), st.integers(1, 12))
def test_swapping_the_images_does_not_change_the_loss(seed: int, m: int, n: int):
    mask0, mask1 = torch.ones(1, m, dtype=torch.bool), torch.ones(1, n, dtype=torch.bool)
    outputs = [random_output(seed + layer, m, n, mask0, mask1) for layer in range(2)]
    swapped_outputs = [
        LayerOutput(o.log_assignment.transpose(1, 2), o.confidence_logits1, o.confidence_logits0)
        for o in outputs
    ]
    labels0, labels1 = (labels[None] for labels in random_truth(seed, m, n))
    one = matching_loss(outputs, labels0, labels1, mask0, mask1)
    other = matching_loss(swapped_outputs, labels1, labels0, mask1, mask0)
    for name in one._fields:
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    assert float(one.total) >= 0
