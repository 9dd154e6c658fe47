"""Matcher: an extractor and a matcher, loaded once and used many times."""

from collections.abc import Sequence
from time import perf_counter
from typing import Protocol, runtime_checkable

import torch

from tiepoint.errors import InvalidInput
from tiepoint.extractors.masks import MaskSource, read_mask
from tiepoint.extractors.neural import NeuralExtractor
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.matchers.compatibility import Pair
from tiepoint.result import MatchResult
from tiepoint.types import Features, Matches


@runtime_checkable
class PairMatcher(Protocol):
    """What `Matcher` asks of a matcher; `fingerprint` changes with everything that decides its matches."""

    fingerprint: str

    def match(self, pairs: Sequence[Pair]) -> list[Matches]:
        """Match pairs of features, each as if it were alone."""
        ...


class Matcher:
    """An extractor and a matcher, loaded once and used many times; `load` makes it.

    Attributes:
        extractor: image -> Features.
        matcher: pairs of Features -> Matches.
    """

    def __init__(self, extractor: NeuralExtractor, matcher: PairMatcher) -> None:
        self.extractor = extractor
        self.matcher = matcher

    @property
    def fingerprint(self) -> str:
        """Changes with everything that decides which matches two images give; a key for caches."""
        return f"{self.extractor.fingerprint}-{self.matcher.fingerprint}"

    def extract(self, image: ImageSource | Image, *, mask: MaskSource | None = None) -> Features:
        """Detect and describe the keypoints of one image.

        Args:
            image: path, URL, PIL image, NumPy array (height, width[, channels]) or tensor (channels, height, width).
            mask: where keypoints may lie, in px of the upright image: path or PIL image (not black = allowed), array
                (height, width) (not zero = allowed), or polygons [[(x, y), …], …] (inside = allowed), also as the
                path of a .json file. None: everywhere.

        Returns:
            Features in px of the upright original image, by falling score; none where nothing stands out.

        Raises:
            InvalidInput: it can't be read as an image, or the mask can't, or is of another size.
        """
        return self.extractor.extract(*_read(image, mask, "mask"))

    def match_features(self, pairs: Sequence[Pair]) -> list[MatchResult]:
        """Match any number of pairs of features; each gives what it gives alone.

        Args:
            pairs: [(features0, features1), …], made by `extract`, or your own with the right dimension.

        Returns:
            One result a pair, in the same order; its seconds are an equal share of the whole.

        Raises:
            InvalidInput: features of another preset or dimension.
        """
        pairs = _as_pairs(pairs)
        start = perf_counter()
        found = self.matcher.match(pairs)
        share = {"match": (perf_counter() - start) / max(1, len(pairs))}
        return [
            MatchResult.of(features0, features1, matches, share)
            for (features0, features1), matches in zip(pairs, found, strict=True)
        ]

    def match(
        self,
        image0: ImageSource | Image,
        image1: ImageSource | Image,
        *,
        mask0: MaskSource | None = None,
        mask1: MaskSource | None = None,
    ) -> MatchResult:
        """Find the tie points of two images: read, extract, match.

        Args:
            image0: as for `extract`.
            image1: as for `extract`.
            mask0: where keypoints of image 0 may lie, as for `extract`.
            mask1: likewise of image 1.

        Raises:
            InvalidInput: an image or mask can't be read, or a mask is of another size than its image.
        """
        times = [perf_counter()]
        both = _read(image0, mask0, "mask0"), _read(image1, mask1, "mask1")
        times.append(perf_counter())
        features0, features1 = (self.extractor.extract(*image_and_mask) for image_and_mask in both)
        times.append(perf_counter())
        (found,) = self.matcher.match([(features0, features1)])
        times.append(perf_counter())
        stages = zip(("read", "extract", "match"), times, times[1:], strict=False)
        return MatchResult.of(
            features0, features1, found, {stage: end - begin for stage, begin, end in stages}
        )


def _read(
    image: ImageSource | Image, mask: MaskSource | None, name: str
) -> tuple[Image, torch.Tensor | None]:
    """An image and where its keypoints may lie; `name` is what error messages call the mask."""
    upright = read_image(image)
    return upright, None if mask is None else read_mask(mask, upright, name)


def _as_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    listed = [] if isinstance(pairs, Features) else list(pairs)
    if isinstance(pairs, Features) or any(isinstance(item, Features) for item in listed):
        raise InvalidInput("match_features takes a list of pairs: match_features([(features0, features1)])")
    return listed
