"""Cards of pairs for the page of a collection: weak images with their best pair, and the pairs with the most inliers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.report.statistics import Edge, ImageStatistics
from tiepoint.errors import InvalidInput
from tiepoint.html.pair_viewers import PairViewers, estimate_for_page
from tiepoint.image import read_image
from tiepoint.result import MatchResult
from tiepoint.types import Features

MAX_WEAK_IMAGES = 12
MAX_STRONG_PAIRS = 6

Card = dict[str, Any]


def weak_image_cards(
    viewers: PairViewers, collection: Collection, statistics: Mapping[str, ImageStatistics]
) -> list[Card]:
    """Describe the images whose best pair has the fewest inliers, images without a pose first.

    Args:
        viewers: Viewers of the page, to which pictures and pairs are added.
        collection: Collection of the images.
        statistics: Statistics by image name.
    """
    has_model = any(image.registered for image in statistics.values())
    matched = [image for image in statistics.values() if image.best_pair is not None]
    weak = sorted(matched, key=lambda image: (image.registered, image.best_pair))[:MAX_WEAK_IMAGES]
    cards = []
    for image in weak:
        assert image.best_pair is not None, "sorted out above"
        pose = [] if image.registered or not has_model else ["no pose"]
        lines = [image.name, *pose, f"best of {image.pairs:,} pairs: {image.best_pair.inliers:,} inliers"]
        cards += _cards(viewers, collection, (image.best_pair.name0, image.best_pair.name1), lines)
    return cards


def strong_pair_cards(viewers: PairViewers, collection: Collection, edges: Iterable[Edge]) -> list[Card]:
    """Describe the pairs with the most inliers.

    Args:
        viewers: Viewers of the page, to which pictures and pairs are added.
        collection: Collection of the images.
        edges: Pairs by decreasing number of inliers.
    """
    cards: list[Card] = []
    for verified, name0, name1 in list(edges)[:MAX_STRONG_PAIRS]:
        cards += _cards(viewers, collection, (name0, name1), [f"{name0}, {name1}", f"{verified:,} inliers"])
    return cards


def _cards(
    viewers: PairViewers, collection: Collection, names: tuple[str, str], lines: Sequence[str]
) -> list[Card]:
    """Return the card of a pair; none if an image was moved or changed since it was matched."""
    result = pair_result(collection, *names)
    try:
        pictures = [_picture(viewers, features) for features in (result.features0, result.features1)]
    except InvalidInput:
        return []
    estimate, homography = estimate_for_page(result, collection.geometry(*names))
    pair = viewers.add_pair(result, *pictures, estimate=estimate, homography=homography)
    return [{"pictures": pictures, "pair": pair, "lines": lines}]


def pair_result(collection: Collection, name0: str, name1: str) -> MatchResult:
    """Return the matches of a pair; layers and pruning are not stored.

    Args:
        collection: Collection of the pair.
        name0: Name of image 0, in the order of `pairs`.
        name1: Name of image 1.
    """
    matches, scores = collection.matches(name0, name1)
    nothing = np.zeros(0, np.int64)
    return MatchResult(
        matches=matches.astype(np.int64),
        scores=scores,
        features0=collection.features(name0),
        features1=collection.features(name1),
        layers_run=0,
        prune0=nothing,
        prune1=nothing,
    )


def _picture(viewers: PairViewers, features: Features) -> int:
    source = features.source or ""
    known = viewers.find_picture(source)
    if known is not None:
        return known
    image = read_image(source, stretch="auto")
    if image.image_size != features.image_size:
        raise InvalidInput(f"{source}: expected {features.image_size} px, got {image.image_size} px")
    return viewers.add_picture(source, image)
