"""find: a query and a folder of photographs become a ranking by the verdict of each pair."""

import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.extraction.masks import MaskSource
from tiepoint.image import read_image
from tiepoint.image.listing import find_images
from tiepoint.io.progress import Watch, unwatched
from tiepoint.io.serialization import check_output_path, write_arrays
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.result import MatchResult
from tiepoint.retrieval.feature_cache import FeatureCache
from tiepoint.types import Features
from tiepoint.visualization import check_image_path, save_image
from tiepoint.visualization.contact_sheet import Cell, contact_sheet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """Photographs of a folder that look most as if they showed the query's place.

    Attributes:
        query: path of the photograph that was looked for.
        results: the best, by falling probability, then by falling number of matches that agree on one geometry; the
            query is image 0 of each.
        compared: number of photographs that the query was compared with.
        problems: files that can't be read as images, one line each.
    """

    query: str
    results: tuple[MatchResult, ...]
    compared: int
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything but keypoints and matches, in plain lists and numbers."""
        return {
            "query": self.query,
            "compared": self.compared,
            "found": [_row(result) for result in self.results],
            "problems": list(self.problems),
        }

    def draw(self) -> PIL.Image.Image:
        """A sheet: the query, then the photographs in their order, with dots where they match.

        Raises:
            InvalidInput: a photograph can't be read any more.
        """
        return contact_sheet(_cells(self))


def find(
    query: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    top: int = 10,
    cache: str | os.PathLike[str] | None = None,
    mask: MaskSource | None = None,
    preset: str = DEFAULT_PRESET,
    watch: Watch = unwatched,
    **options: Any,
) -> Ranking:
    """Find the photographs of a folder that show the same place as one photograph.

    Args:
        query: path of a photograph; where it lies in the folder itself, it isn't compared with itself.
        folder: with photographs, also in sub-folders; what can't be read is named in `Ranking.problems`.
        top: how many to return.
        cache: folder where the features of the photographs are kept, which makes the next query much faster.
        mask: where keypoints of the query may lie, as for `Matcher.extract`.
        preset: see `tiepoint presets`.
        watch: shows progress.
        **options: as for `tiepoint.load`.

    Raises:
        InvalidInput: the query can't be read; there is no such folder, or it holds no other photograph.
        StoreError: the cache holds something else, or features that were made with other settings.
        WeightsError: weights can't be found, fetched or loaded.
        MissingDependency: a cache, and h5py isn't installed.

    Example:
        >>> for result in tiepoint.find("query.jpg", "photos/").results:
        ...     print(result.features1.source, result.verify().probability)
    """
    if top < 1:
        raise InvalidInput(f"top must be a whole number above 0, but is {top!r}")
    paths = _others(find_images(folder), Path(query))
    if not paths:
        raise InvalidInput(f"there is no photograph in {folder} to compare {query} with; name another folder")
    matcher = load(preset, **options)
    problems: list[str] = []
    with nullcontext() if cache is None else FeatureCache(cache, matcher) as kept:
        extract = matcher.extract if kept is None else kept.features_of
        images = _readable(watch(paths, len(paths)), extract, problems)
        results = _results(matcher.match_one_to_many(query, images, mask=mask))
        best = heapq.nlargest(top, results, key=_strength)  # only these stay in memory
    return Ranking(
        query=os.fspath(query),
        results=tuple(best),
        compared=len(paths) - len(problems),
        problems=tuple(problems),
    )


def find_to_files(
    query: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    picture: str | os.PathLike[str] | None = None,
    json: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Ranking:
    """`find`, and write what came out; paths that can't be written are found out before the work.

    Args:
        query: as for `find`.
        folder: as for `find`.
        picture: where to write the sheet; its ending decides the format.
        json: where to write the ranking; ends in .json.
        **options: as for `find`.

    Raises:
        InvalidInput: as for `find`; or a file can't be written.
        StoreError: as for `find`.
        WeightsError: as for `find`.
        MissingDependency: as for `find`.
    """
    if picture is not None:
        check_image_path(picture)
    if json is not None:
        check_output_path(json, ".json")
    ranking = find(query, folder, **options)
    if json is not None:
        write_arrays(ranking.to_dict(), json)
    if picture is not None:
        save_image(ranking.draw(), picture)
    return ranking


def _others(paths: list[Path], query: Path) -> list[Path]:
    """All but the query itself."""
    return [path for path in paths if path.resolve() != query.resolve()]


def _readable(
    paths: Iterable[Path], extract: Callable[[Path], Features], problems: list[str]
) -> Iterator[Features]:
    """Features of every file that has any; of the others, what is wrong with them joins `problems`."""
    for path in paths:
        try:
            yield extract(path)
        except InvalidInput as error:
            problems.append(str(error))


def _results(found: Iterable[MatchResult | InvalidInput]) -> Iterator[MatchResult]:
    for result in found:
        assert isinstance(result, MatchResult), "features can be read"
        yield result


def _strength(result: MatchResult) -> tuple[float, int]:
    return result.verify().probability, result.verify().num_inliers


def _cells(ranking: Ranking) -> Iterator[Cell]:
    """One after the other, so that no two photographs need be in memory."""
    yield Cell(image=read_image(ranking.query), caption=f"query: {Path(ranking.query).name}")
    yield from map(_cell, ranking.results)


def _cell(result: MatchResult) -> Cell:
    source, verdict = result.features1.source or "", result.verify()
    return Cell(
        image=read_image(source),
        caption=f"{verdict.probability:.2f}  {verdict.num_inliers} of {len(result)}  {Path(source).name}",
        points=result.points1,
        good=verdict.same_scene,
    )


def _row(result: MatchResult) -> dict[str, Any]:
    verdict = result.verify()
    return {
        "image": result.features1.source,
        "probability": verdict.probability,
        "same_scene": verdict.same_scene,
        "reason": verdict.reason,
        "inliers": verdict.num_inliers,
        "matches": len(result),
        "rotation": result.rotation1,
    }
