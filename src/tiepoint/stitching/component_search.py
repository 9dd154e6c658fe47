"""Search over views for images that do not match as they are: rotated images join the components of a match graph."""

from collections.abc import Sequence
from itertools import chain, zip_longest

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, ImageSource
from tiepoint.io.progress import ProgressCallback
from tiepoint.matcher import Matcher
from tiepoint.stitching.candidates import Pair
from tiepoint.stitching.match_graph import MatchGraph, pair_threshold
from tiepoint.stitching.pair_matches import check_pair
from tiepoint.stitching.settings import StitchSettings

MAX_SEARCHES = 8  # images for which other views are searched
MAX_REPRESENTATIVES = 2  # of them per component
MAX_PARTNERS = 8  # images that each of them is compared with


def search_views(
    matcher: Matcher,
    graph: MatchGraph,
    sources: Sequence[ImageSource | Image],
    settings: StitchSettings,
    progress: ProgressCallback,
) -> None:
    """Match one or two images of every component with those of other ones in rotated views, if the matcher searches views.

    The largest component is only matched with the others. Components that a search connects are one from then on.

    Args:
        matcher: Matcher.
        graph: Match graph; pairs are replaced.
        sources: All images.
        settings: Inlier threshold.
        progress: Callback that shows the progress.
    """
    if matcher.views is None or len(graph.components()) < 2:
        return
    searched: list[int] = []
    tried: set[Pair] = set()
    with progress("searching rotated views", None) as advance:
        while len(searched) < MAX_SEARCHES:
            index = _next_representative(graph, searched)
            if index is None:
                return
            searched.append(index)
            partners = [other for other in _partners(graph, index) if _ordered(index, other) not in tried]
            tried |= {_ordered(index, other) for other in partners}
            if partners:
                _match_views(matcher, graph, sources, settings, index, partners)
            advance(1)


def _match_views(
    matcher: Matcher,
    graph: MatchGraph,
    sources: Sequence[ImageSource | Image],
    settings: StitchSettings,
    index: int,
    partners: Sequence[int],
) -> None:
    """Replace the pairs of an image and its partners in the graph; image 0 of each is the one with the lower index."""
    results = matcher.match_one_to_many(
        sources[index], [sources[other] for other in partners], views=matcher.views
    )
    for other, result in zip(partners, results, strict=True):
        if not isinstance(result, InvalidInput):
            i, j = _ordered(index, other)
            ordered = result if i == index else result.swapped()
            graph.pairs[i, j] = check_pair(ordered, i, j, pair_threshold(matcher, settings, graph.inputs[j]))


def _next_representative(graph: MatchGraph, searched: Sequence[int]) -> int | None:
    """Image outside of the largest component that most probably overlaps with another component; None if all are done.

    Every component has its first representative before any has its second one.
    """
    rounds: list[tuple[int, int]] = []
    for number, component in enumerate(graph.components()[1:]):
        done = len(set(component) & set(searched))
        if done < min(MAX_REPRESENTATIVES, len(component)):
            rounds.append((done, number))
    if not rounds:
        return None
    component = graph.components()[1 + min(rounds)[1]]
    others = set(graph.inputs) - set(component)
    candidates = [index for index in component if index not in searched]
    return min(candidates, key=lambda index: min(graph.rank(index, other) for other in others))


def _partners(graph: MatchGraph, index: int) -> list[int]:
    """Images of other components that most probably overlap with an image.

    Half of them are of the largest other component, the rest alternately of all.
    """
    largest, *others = (
        graph.ranked_partners(index, component) for component in graph.components() if index not in component
    )
    half = MAX_PARTNERS // 2
    alternately = chain.from_iterable(zip_longest(largest[half:], *others))
    return [*largest[:half], *(other for other in alternately if other is not None)][:MAX_PARTNERS]


def _ordered(index: int, other: int) -> Pair:
    return min(index, other), max(index, other)
