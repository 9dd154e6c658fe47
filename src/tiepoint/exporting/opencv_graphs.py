"""Graphs with the names and shapes that OpenCV 5 expects: `cv2.ALIKED_create` and `cv2.LightGlueMatcher_create`."""

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tiepoint.exporting.block_graphs import plain_attention
from tiepoint.exporting.extractor_graphs import extractor_graph
from tiepoint.exporting.graphs import Graph, example
from tiepoint.exporting.lightglue_graphs import SingleGraph, SingleOutputs
from tiepoint.exporting.matcher_graphs import EXAMPLE_COUNTS, SIZES
from tiepoint.exporting.nearest_graph import NearestGraph
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import top_k
from tiepoint.models.lightglue.fused_layers import fuse


class OpenCvDetection(NamedTuple):
    """Outputs of `OpenCvExtractorGraph`.

    Attributes:
        keypoints: Positions in [-1, 1] per axis, -1 and 1 at the borders of the image: OpenCV's coordinates in px are
            (x + 1) * width / 2, so the center of the top-left pixel is (0.5, 0.5) whatever size OpenCV resized to.
        descriptors: Unit-length descriptors.
        scores: Detection scores.
    """

    keypoints: Float[Tensor, "n 2"]
    descriptors: Float[Tensor, "n d"]
    scores: Float[Tensor, "n"]


class OpenCvExtractorGraph(nn.Module):
    """The steps of `Detector.forward` for one image, with OpenCV's outputs.

    OpenCV 5.0 aborts the process if a tensor is empty. Images without a keypoint therefore return one, with score 0.

    Args:
        network: Detector.
        detection_threshold: Minimum score (exclusive).
        max_keypoints: Fixed maximum number of keypoints; None keeps all.
    """

    def __init__(self, network: Detector, detection_threshold: float, max_keypoints: int | None) -> None:
        super().__init__()
        self.network = network
        self.detection_threshold = detection_threshold
        self.max_keypoints = max_keypoints

    def forward(self, image: Float[Tensor, "1 3 h w"]) -> OpenCvDetection:
        """Detect and describe keypoints.

        Args:
            image: RGB image in [0, 1].
        """
        (scores,), (features,) = self.network.dense_maps(image)
        maxima = self.network.suppress_non_maxima(scores)
        pixels, ranks = self.network.ranked_candidates(_with_one_maximum(maxima), features)
        best = ranks.amax(0, keepdim=True)
        is_empty = (maxima.flatten().amax(0, keepdim=True) <= 0) | (best <= self.detection_threshold)
        ranks = torch.where(is_empty & (ranks >= best), self.detection_threshold + 1, ranks)
        selected = pixels[top_k(ranks, self.max_keypoints, self.detection_threshold)]
        found = self.network.keypoints_at(selected, scores, features)
        one = torch.ones_like(found.scores)
        size = torch.stack((one * image.shape[3], one * image.shape[2]), dim=1)
        keypoints = (2 * found.keypoints + 1) / size - 1
        return OpenCvDetection(keypoints, found.descriptors, torch.where(is_empty, 0, found.scores))


def _with_one_maximum(maxima: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Make the middle of a map a maximum if it has none."""
    rows, columns = (
        torch.arange(side, dtype=torch.int64, device=maxima.device) == side // 2 for side in maxima.shape
    )
    is_middle = rows[:, None] & columns
    return torch.where(is_middle & (maxima.flatten().amax(0, keepdim=True) <= 0), 1, maxima)


class OpenCvMatches(NamedTuple):
    """Outputs of `OpenCvMatcherGraph`.

    Attributes:
        matches0: Index pairs of the matches; a single pair (-1, -1), which OpenCV ignores, if there are none.
        mscores0: Scores of the matches.
    """

    matches0: Int[Tensor, "k 2"]
    mscores0: Float[Tensor, "k"]


class OpenCvMatcherGraph(nn.Module):
    """`SingleGraph` or `NearestGraph` with OpenCV's inputs and outputs.

    Args:
        matcher: Graph of all layers, or of mutual nearest neighbors.
    """

    def __init__(self, matcher: SingleGraph | NearestGraph) -> None:
        super().__init__()
        self.matcher = matcher

    def forward(
        self,
        kpts0: Float[Tensor, "1 m 2"],
        kpts1: Float[Tensor, "1 n 2"],
        desc0: Float[Tensor, "1 m i"],
        desc1: Float[Tensor, "1 n i"],
    ) -> OpenCvMatches:
        """Match two images.

        Args:
            kpts0: Keypoints of image 0, normalized by its longer side (`normalize_keypoints`).
            kpts1: Keypoints of image 1.
            desc0: Descriptors of image 0.
            desc1: Descriptors of image 1.
        """
        found = self._match(((kpts0[0], desc0[0]), (kpts1[0], desc1[0])))
        return _never_empty(found.matches0, found.matching_scores0)

    def _match(self, images: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]) -> SingleOutputs:
        if isinstance(self.matcher, NearestGraph):
            return self.matcher(*(descriptors for _, descriptors in images))
        encode = self.matcher.encode.encode_positions
        return self.matcher.match_encoded(*(encode(*image) for image in images))


def _never_empty(matches0: Int[Tensor, "m"], scores0: Float[Tensor, "m"]) -> OpenCvMatches:
    """List the matches, or the pair (-1, -1): OpenCV 5.0 aborts the process if a tensor is empty."""
    rows = torch.arange(matches0.shape[0], dtype=torch.int64, device=matches0.device)
    none = torch.full((1,), -1, dtype=torch.int64, device=matches0.device)
    pairs = torch.stack((torch.cat((rows, none)), torch.cat((matches0, none))), dim=1)
    scores = torch.cat((scores0, torch.zeros(1, dtype=scores0.dtype, device=scores0.device)))
    is_match = matches0 >= 0
    is_listed = torch.cat((is_match, ~is_match.any(dim=0, keepdim=True)))
    indices = is_listed.nonzero().squeeze(1)
    return OpenCvMatches(pairs[indices], scores[indices])


def opencv_extractor_graph(
    network: Detector,
    *,
    detection_threshold: float = 0.0,
    image_size: tuple[int, int] | None = None,
    max_keypoints: int | None = None,
) -> Graph:
    """Describe the graph of an extractor for `cv2.ALIKED_create`.

    Args:
        network: Detector.
        detection_threshold: Minimum score (exclusive) of a keypoint.
        image_size: The only size (width, height) in px of the image; None leaves it open.
        max_keypoints: Fixed maximum number of keypoints; None keeps all.
    """
    graph = extractor_graph(network, image_size=image_size, deform_operator=False)
    return replace(
        graph,
        module=OpenCvExtractorGraph(network, detection_threshold, max_keypoints),
        inputs={"image": graph.inputs["image"]},
        outputs=OpenCvDetection._fields,
    )


def opencv_problem(matcher: PairMatcher) -> str | None:
    """Return why OpenCV's LightGlueMatcher cannot run a matcher; None if it can.

    Args:
        matcher: Matcher to export.
    """
    if not isinstance(matcher, LightGlueMatcher):
        return None
    shape = matcher.network.shape
    if (shape.normalization, shape.size_order) != ("longer_side", "wh"):
        return (
            "its LightGlue weights do not scale positions by the longer image side, as bundles for OpenCV do"
        )
    if shape.position_dim != 2:
        return "its LightGlue weights need keypoint scales and orientations, which OpenCV's LightGlueMatcher does not pass"
    return None


def opencv_matcher_graph(matcher: LightGlueMatcher | NearestMatcher, descriptor_dim: int) -> Graph:
    """Describe the graph of a matcher for `cv2.LightGlueMatcher_create`.

    Args:
        matcher: Matcher without an `opencv_problem`.
        descriptor_dim: Descriptor dimension.
    """
    inputs = {f"kpts{i}": example(1, count, 2) for i, count in enumerate(EXAMPLE_COUNTS)}
    inputs |= {f"desc{i}": example(1, count, descriptor_dim) for i, count in enumerate(EXAMPLE_COUNTS)}
    return Graph(
        name="matcher",
        module=OpenCvMatcherGraph(_matcher_module(matcher)),
        inputs=inputs,
        outputs=OpenCvMatches._fields,
        open_sizes={name: {1: SIZES[int(name[-1])]} for name in inputs},
        output_sizes={name: {0: "num_matches"} for name in OpenCvMatches._fields},
    )


def _matcher_module(matcher: LightGlueMatcher | NearestMatcher) -> SingleGraph | NearestGraph:
    if isinstance(matcher, NearestMatcher):
        return NearestGraph(matcher.settings.filter_threshold, matcher.settings.max_ratio)
    return SingleGraph(fuse(matcher.network), plain_attention, matcher.settings.filter_threshold)
