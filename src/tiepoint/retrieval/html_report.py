"""The page of a ranking: the query, and its results in order, each with a viewer."""

import os
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tiepoint.errors import InvalidInput
from tiepoint.html.pair_page import check_page_path
from tiepoint.html.pair_viewers import PairViewers, estimate_for_page
from tiepoint.html.rendering import render_page, write_page
from tiepoint.image import read_image
from tiepoint.result import MatchResult

TEMPLATE = "ranking.html.jinja"


@runtime_checkable
class RankedResults(Protocol):
    """What the page shows of a Ranking."""

    @property
    def query(self) -> str:
        """Path of the query image."""
        ...

    @property
    def results(self) -> tuple[MatchResult, ...]:
        """Best results; the query is image 0 of each."""
        ...

    @property
    def compared(self) -> int:
        """Number of images that the query was compared with."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """Files that cannot be read."""
        ...


def write_ranking_page(ranking: RankedResults, path: str | os.PathLike[str]) -> Path:
    """Write the page of a ranking, atomically.

    Args:
        ranking: Output of `find`.
        path: Output path, ending in .html or .htm.

    Returns:
        The path.

    Raises:
        InvalidInput: If the query can no longer be read, or the file cannot be written.
    """
    check_page_path(path)
    viewers = PairViewers()
    query = viewers.add_picture(ranking.query, read_image(ranking.query, stretch="auto"))
    page = render_page(
        "tiepoint.retrieval",
        TEMPLATE,
        title=f"Images like {Path(ranking.query).name}",
        ranking=ranking,
        query=query,
        cards=[_card(viewers, query, rank, result) for rank, result in enumerate(ranking.results, 1)],
        viewers=viewers,
    )
    return write_page(page, path)


def _card(viewers: PairViewers, query: int, rank: int, result: MatchResult) -> dict[str, Any]:
    """Add the pair of the query and a result, and describe it."""
    source, verification = result.features1.source, result.verify()
    if source is None:
        raise InvalidInput(f"result {rank} was matched from memory; a page needs images in files")
    picture = viewers.add_picture(source, read_image(source, stretch="auto"))
    estimate, homography = estimate_for_page(result)
    pair = viewers.add_pair(
        result, query, picture, estimate=estimate, homography=homography, verification=verification
    )
    same_scene = "same scene" if verification.same_scene else "another scene"
    return {
        "pictures": [picture],
        "pair": pair,
        "lines": [
            f"{rank}. {Path(source).name}",
            f"{same_scene}: {verification.probability:.2f}",
            f"{verification.num_inliers:,} inliers of {len(result):,} matches",
            *_rotations(result),
        ],
    }


def _rotations(result: MatchResult) -> list[str]:
    if not (result.rotation0 or result.rotation1):
        return []
    return [f"rotated by {result.rotation0}° (query), {result.rotation1}°"]
