"""Self-check of devices that are known for wrong results: a tiny pair is matched there and on the CPU.

Users of Apple's GPUs (MPS) report that LightGlue loses all matches with some versions of torch.
"""

import copy

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.image import Image
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher

CHECKED_DEVICE_TYPES = ("mps",)

SIDE = 192  # side of the images in px
SHIFT = 16  # translation between them in px, along both axes
BLOB = 6  # distance between the random values of the texture in px
MAX_DISTANCE_PX = 1.0  # two matches are the same if both positions differ by at most this
MIN_FOUND = 0.8  # fraction of the CPU's matches that a device must find; rounding changes a few


def check_device(extractor: NeuralExtractor, matcher: PairMatcher) -> None:
    """Match a tiny pair on a device known for wrong results and on the CPU, and compare the matches.

    Args:
        extractor: Extractor on the device; SIFT is always on the CPU.
        matcher: Matcher on the device.

    Raises:
        InvalidInput: If the device loses matches that the CPU finds.
    """
    devices = (extractor.device, *([matcher.device] if isinstance(matcher, LightGlueMatcher) else []))
    device = next((device for device in devices if device.type in CHECKED_DEVICE_TYPES), None)
    if device is None:
        return
    expected = _match_tiny_pair(_extractor_on_cpu(extractor), _matcher_on_cpu(matcher))
    actual = _match_tiny_pair(extractor, matcher)
    found = _count_found(expected, actual)
    if found < MIN_FOUND * len(expected):
        raise InvalidInput(
            f"cannot use device '{device}': of {len(expected)} matches of a test pair that the CPU finds, it finds "
            f"{found}, so torch {torch.__version__} computes wrong results on it; use device='cpu', or another "
            "version of torch"
        )


def tiny_pair() -> tuple[Image, Image]:
    """Return two crops of a random texture that are `SHIFT` px apart; always the same."""
    side = SIDE + SHIFT
    generator = torch.Generator(device="cpu").manual_seed(0)
    shape = (1, 3, side // BLOB, side // BLOB)
    values = torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")
    texture = F.interpolate(values, (side, side), mode="bicubic", align_corners=False)[0].clamp(0, 1)
    return Image(pixels=texture[:, :SIDE, :SIDE]), Image(pixels=texture[:, SHIFT:, SHIFT:])


def _match_tiny_pair(extractor: NeuralExtractor, matcher: PairMatcher) -> Float[Tensor, "k 4"]:
    """Return the positions (x0, y0, x1, y1) of the matches in px."""
    features0, features1 = (extractor.extract(image) for image in tiny_pair())
    (assignment,) = matcher.match([(features0, features1)])
    indices0, indices1 = assignment.matches.cpu().unbind(dim=1)
    keypoints0, keypoints1 = features0.keypoints.cpu(), features1.keypoints.cpu()
    return torch.cat((keypoints0[indices0], keypoints1[indices1]), dim=1).float()


def _count_found(expected: Float[Tensor, "k 4"], actual: Float[Tensor, "n 4"]) -> int:
    """Count the expected matches that are among the actual ones."""
    distances = (expected[:, None] - actual[None]).abs().amax(dim=2)
    return int((distances <= MAX_DISTANCE_PX).any(dim=1).sum())


def _extractor_on_cpu(extractor: NeuralExtractor) -> NeuralExtractor:
    if extractor.device.type == "cpu":
        return extractor
    return NeuralExtractor(copy.deepcopy(extractor.network).to("cpu"), extractor.settings)


def _matcher_on_cpu(matcher: PairMatcher) -> PairMatcher:
    if not isinstance(matcher, LightGlueMatcher):
        return matcher
    return LightGlueMatcher(
        copy.deepcopy(matcher.network).to("cpu", torch.float32),
        kind=matcher.settings.kind,
        adaptivity=matcher.settings.adaptivity,
        filter_threshold=matcher.settings.filter_threshold,
    )
