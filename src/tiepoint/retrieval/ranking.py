"""Rank the images of a folder by the probability that they show the same scene as a query image."""

import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import PIL.Image

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.extraction.masks import MaskSource
from tiepoint.feature_store.hdf5_shard import h5py
from tiepoint.html.notebook import picture_element
from tiepoint.html.pair_page import SUFFIXES as PAGE_SUFFIXES, is_page
from tiepoint.image import read_image
from tiepoint.image.listing import find_images
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.notebook import to_html
from tiepoint.io.progress import Progress, no_progress, to_callback, track
from tiepoint.io.serialization import check_output_path, write_arrays
from tiepoint.io.validation import check_integer
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.result import MatchResult
from tiepoint.retrieval.feature_cache import FeatureCache
from tiepoint.retrieval.html_report import write_ranking_page
from tiepoint.types import Features
from tiepoint.types.options import NetworkOptions
from tiepoint.visualization import check_image_path, save_image
from tiepoint.visualization.contact_sheet import Cell, contact_sheet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Ranking:
    """The images of a folder that are most likely to show the query's scene.

    Attributes:
        query: Path of the query image.
        results: Best results by descending probability, then by descending number of inliers; the query is image 0
            of each.
        compared: Number of images that the query was compared with.
        problems: Files that cannot be read as images, one message per file.
    """

    query: str
    results: tuple[MatchResult, ...]
    compared: int
    problems: tuple[str, ...] = ()

    def __repr__(self) -> str:
        same = sum(result.verify().same_scene for result in self.results)
        return f"Ranking({self.query!r}: top {len(self.results)} of {self.compared} images, {same} of the same scene)"

    def _repr_html_(self) -> str:
        """Show the results with a contact sheet in a notebook; no picture if an image cannot be read."""
        rows: list[tuple[str, object]] = [
            (f"{rank}.", _text(result)) for rank, result in enumerate(self.results, 1)
        ]
        title = f"{self.compared:,} images compared with {Path(self.query).name}"
        try:
            picture = picture_element(self.draw(), title)
        except InvalidInput as error:
            picture, rows = "", [*rows, ("picture", str(error))]
        return to_html(title, rows, picture)

    def to_dict(self) -> dict[str, Any]:
        """Return everything except keypoints and matches as JSON values."""
        return {
            "query": self.query,
            "compared": self.compared,
            "found": [_row(result) for result in self.results],
            "problems": list(self.problems),
        }

    def draw(self) -> PIL.Image.Image:
        """Draw a contact sheet: the query, followed by the ranked images with their matched points.

        Raises:
            InvalidInput: If an image can no longer be read.
        """
        return contact_sheet(_cells(self))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a contact sheet, or a page with a viewer per result (.html), atomically.

        Args:
            path: Output path; its suffix determines the format.

        Raises:
            InvalidInput: If an image can no longer be read, or the file cannot be written.
        """
        if is_page(path):
            write_ranking_page(self, path)
        else:
            save_image(self.draw(), path)


def find(
    query: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    top: int = 10,
    cache: str | os.PathLike[str] | None = None,
    mask: MaskSource | None = None,
    preset: str = DEFAULT_PRESET,
    progress: Progress = False,
    **options: Unpack[NetworkOptions],
) -> Ranking:
    """Find the images of a folder that show the same scene as a query image.

    Args:
        query: Path of the query image; it is not compared with itself if it is in the folder.
        folder: Folder with images, searched recursively; unreadable files are listed in `Ranking.problems`.
        top: Number of results.
        cache: Folder in which the features of the images are stored to speed up further queries.
        mask: Region of the query in which keypoints are allowed, as for `Matcher.extract`.
        preset: Name of a preset, see `tiepoint presets`.
        progress: Whether to show bars on stderr, or a callback that shows the progress.
        **options: Options of `tiepoint.load`.

    Raises:
        InvalidInput: If the query cannot be read, or the folder does not exist or contains no other image.
        StoreError: If the cache contains other files, or features that were extracted with other settings.
        WeightsError: If weights cannot be found, downloaded or loaded.
        MissingDependency: If a cache is given and h5py is not installed.

    Example:
        >>> for result in tiepoint.find("query.jpg", "photos/").results:
        ...     print(result.features1.source, result.verify().probability)
    """
    top = check_integer("top", top, 1)
    if options.get("latency_budget_ms") is not None:
        raise InvalidInput(
            "latency_budget_ms is not supported by find, whose ranking must not depend on the time; use max_keypoints "
            "and max_layers"
        )
    if cache is not None:
        h5py()  # before weights are downloaded
    paths = _without(Path(query), find_images(folder))
    if not paths:
        raise InvalidInput(f"no image in {folder} to compare with {query}; choose another folder")
    callback = to_callback(progress)
    matcher = load(preset, progress=callback is not no_progress, **options)
    problems: list[str] = []
    with nullcontext() if cache is None else FeatureCache(cache, matcher) as cached:
        extract = matcher.extract if cached is None else cached.extract
        features = _readable(track(paths, "comparing", callback), extract, problems)
        results = _checked(matcher.match_one_to_many(query, features, mask=mask, views=matcher.views))
        best = heapq.nlargest(top, results, key=_sort_key)  # only these stay in memory
    return Ranking(
        query=os.path.abspath(query),  # noqa: PTH100
        results=tuple(best),
        compared=len(paths) - len(problems),
        problems=tuple(problems),
    )


def find_to_files(
    query: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    json: str | os.PathLike[str] | None = None,
    top: int = 10,
    cache: str | os.PathLike[str] | None = None,
    mask: MaskSource | None = None,
    preset: str = DEFAULT_PRESET,
    progress: Progress = False,
    **options: Unpack[NetworkOptions],
) -> Ranking:
    """Call `find` and write the results; output paths are validated before starting.

    Args:
        query: Path of the query image.
        folder: Folder with images.
        output: Path of the contact sheet, or of a page with a viewer per result (.html); its suffix determines the
            format.
        json: Path of the ranking (.json).
        top: Number of results.
        cache: Folder in which features are stored.
        mask: Region of the query in which keypoints are allowed.
        preset: Name of a preset.
        progress: Whether to show bars on stderr, or a callback that shows the progress.
        **options: Options of `tiepoint.load`.

    Raises:
        InvalidInput: If an output file cannot be written, and for the reasons of `find`.
        StoreError: For the reasons of `find`.
        WeightsError: For the reasons of `find`.
        MissingDependency: For the reasons of `find`.
    """
    check_overwrites((output, json), (query, mask))
    if output is not None:
        check_overwrites((output,), find_images(folder))
        check_image_path(output, others=PAGE_SUFFIXES)
    if json is not None:
        check_output_path(json, ".json")
    ranking = find(
        query, folder, top=top, cache=cache, mask=mask, preset=preset, progress=progress, **options
    )
    if json is not None:
        write_arrays(ranking.to_dict(), json)
    if output is not None:
        ranking.save(output)
    return ranking


def _without(query: Path, paths: list[Path]) -> list[Path]:
    return [path for path in paths if path.resolve() != query.resolve()]


def _readable(
    paths: Iterable[Path], extract: Callable[[Path], Features], problems: list[str]
) -> Iterator[Features]:
    """Yield the features of every readable file; append the errors of the others to `problems`."""
    for path in paths:
        try:
            yield extract(path)
        except InvalidInput as error:
            problems.append(str(error))


def _checked(results: Iterable[MatchResult | InvalidInput]) -> Iterator[MatchResult]:
    for result in results:
        assert isinstance(result, MatchResult), "features are always readable"
        yield result


def _sort_key(result: MatchResult) -> tuple[float, int]:
    verification = result.verify()
    return verification.probability, verification.num_inliers


def _cells(ranking: Ranking) -> Iterator[Cell]:
    """Yield one cell at a time, so that only one full-size image is in memory."""
    yield Cell(image=read_image(ranking.query, stretch="auto"), caption=f"query: {Path(ranking.query).name}")
    yield from map(_cell, ranking.results)


def _cell(result: MatchResult) -> Cell:
    source, verification = result.features1.source or "", result.verify()
    inliers = f"{verification.num_inliers} of {len(result)}"
    return Cell(
        image=read_image(source, stretch="auto"),
        caption=f"{verification.probability:.2f}  {inliers}  {Path(source).name}",
        points=result.points1,
        good=verification.same_scene,
    )


def _text(result: MatchResult) -> str:
    verification = result.verify()
    name = Path(result.features1.source or "").name
    return f"{name}: same scene {verification.probability:.2f}, {verification.num_inliers:,} inliers"


def _row(result: MatchResult) -> dict[str, Any]:
    verification = result.verify()
    return {
        "image": result.features1.source,
        "probability": verification.probability,
        "same_scene": verification.same_scene,
        "reason": verification.reason,
        "inliers": verification.num_inliers,
        "matches": len(result),
        "rotation0": result.rotation0,
        "rotation1": result.rotation1,
    }
