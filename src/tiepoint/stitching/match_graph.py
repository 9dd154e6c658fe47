"""Match graph: images as nodes, verified pairs as edges; its largest component becomes the panorama."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tiepoint.image import Image, ImageSource, read_image
from tiepoint.io.batching import batched
from tiepoint.io.progress import ProgressCallback
from tiepoint.matcher import Matcher
from tiepoint.stitching.candidates import Pair
from tiepoint.stitching.inputs import StitchInput, input_name
from tiepoint.stitching.pair_matches import NO_OVERLAP, PairMatch, check_pair
from tiepoint.stitching.settings import StitchSettings

MATCH_BATCH = 16  # pairs that are matched in one call
MAX_MIRROR_PARTNERS = 8  # images that a mirrored one is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutImage:
    """An image that is not part of a panorama.

    Attributes:
        index: Position in the list of images.
        name: Path or URL of the image, or "image 3".
        reason: Reason in words.
    """

    index: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchGraph:
    """Matches between images.

    Attributes:
        inputs: Images by index; unreadable ones are missing.
        pairs: Matched pairs, by indices; those with a reason are no edges.
    """

    inputs: dict[int, StitchInput]
    pairs: dict[Pair, PairMatch]

    def edges(self, among: Iterable[int] | None = None) -> list[PairMatch]:
        """Return the pairs that are used, among some images."""
        chosen = set(self.inputs if among is None else among)
        return [pair for pair in self.pairs.values() if not pair.reason and set(pair.indices) <= chosen]

    def components(self, without: Iterable[int] = ()) -> list[list[int]]:
        """Return the connected components, the one with most images (then inliers) first; indices ascend in each."""
        left = set(self.inputs) - set(without)
        label = {index: index for index in left}
        for pair in self.edges(left):
            old, new = label[pair.index1], label[pair.index0]
            label = {index: new if value == old else value for index, value in label.items()}
        groups: dict[int, list[int]] = {}
        for index in sorted(left):
            groups.setdefault(label[index], []).append(index)
        return sorted(groups.values(), key=lambda group: (-len(group), -self._support(group), group[0]))

    def duplicates(self) -> dict[int, int]:
        """Return images that repeat another one: index -> index of the larger image, which stays."""
        found: dict[int, int] = {}
        for pair in self.edges():
            if pair.is_duplicate and not (pair.index0 in found or pair.index1 in found):
                keep, drop = sorted(pair.indices, key=lambda index: (-self._area(index), index))
                found[drop] = keep
        return found

    def best_pair(self, index: int) -> PairMatch | None:
        """Return the most probable pair of an image."""
        own = [pair for pair in self.pairs.values() if index in pair.indices]
        return max(own, key=lambda pair: pair.result.verify().probability, default=None)

    def rank(self, index: int, other: int) -> tuple[float, int]:
        """Return a key that is smaller for a more probable overlap: of better matches, then of nearer images in order."""
        pair = self.pairs.get((min(index, other), max(index, other)))
        return -(pair.result.verify().probability if pair else 0.0), abs(other - index)

    def ranked_partners(self, index: int, among: Iterable[int]) -> list[int]:
        """Return images in descending probability of an overlap with an image."""
        return sorted((other for other in among if other != index), key=lambda other: self.rank(index, other))

    def reason_left_out(self, index: int, component: Sequence[int]) -> str:
        """Return why an image is not in a component."""
        neighbors = {other for pair in self.edges() if index in pair.indices for other in pair.indices} - {
            index
        }
        if neighbors:
            names = ", ".join(self.inputs[other].name for other in sorted(neighbors)[:3])
            return f"it overlaps with {names}, but with no image of the panorama"
        best = self.best_pair(index)
        if best is None:
            return f"{NO_OVERLAP}: no similar keypoints in other images"
        other = best.index1 if best.index0 == index else best.index0
        return f"{best.reason} (best match: {self.inputs[other].name})"

    def _support(self, group: Sequence[int]) -> int:
        return sum(pair.estimate.num_inliers for pair in self.edges(group))

    def _area(self, index: int) -> int:
        width, height = self.inputs[index].image_size
        return width * height


def match_pairs(
    matcher: Matcher,
    inputs: dict[int, StitchInput],
    pairs: Sequence[Pair],
    settings: StitchSettings,
    progress: ProgressCallback,
) -> MatchGraph:
    """Match pairs of images, and check which of them overlap.

    Args:
        matcher: Matcher.
        inputs: Images by index.
        pairs: Index pairs.
        settings: Inlier threshold.
        progress: Callback that shows the progress.
    """
    found: dict[Pair, PairMatch] = {}
    with progress("matching pairs", len(pairs)) as advance:
        for batch in batched(pairs, MATCH_BATCH):
            features = [(inputs[i].features, inputs[j].features) for i, j in batch]
            for (i, j), result in zip(batch, matcher.match_features(features), strict=True):
                found[i, j] = check_pair(result, i, j, pair_threshold(matcher, settings, inputs[j]))
            advance(len(batch))
    return MatchGraph(inputs=inputs, pairs=found)


def find_mirrored(
    matcher: Matcher,
    graph: MatchGraph,
    sources: Sequence[ImageSource | Image],
    index: int,
    settings: StitchSettings,
) -> str:
    """Return the name of an image that overlaps with the mirror image of another one; "" if there is none.

    Args:
        matcher: Matcher.
        graph: Match graph.
        sources: All images.
        index: Image that is mirrored.
        settings: Inlier threshold.
    """
    image = read_image(sources[index], stretch=matcher.extractor.settings.stretch)
    flipped = Image(pixels=image.pixels.flip(2), is_stretched=image.is_stretched)
    partners = graph.ranked_partners(index, graph.inputs)[:MAX_MIRROR_PARTNERS]
    features = matcher.extract(flipped)
    results = matcher.match_features([(features, graph.inputs[other].features) for other in partners])
    for other, result in zip(partners, results, strict=True):
        threshold = pair_threshold(matcher, settings, graph.inputs[other])
        if not check_pair(result, index, other, threshold).reason:
            return input_name(sources[other], other)
    return ""


def pair_threshold(matcher: Matcher, settings: StitchSettings, image: StitchInput) -> float:
    """Return the inlier threshold of a pair in px of image 1.

    Args:
        matcher: Matcher whose extractor resizes images.
        settings: Inlier threshold.
        image: Image 1.
    """
    return settings.threshold(image.image_size, matcher.extractor.settings.resize)
