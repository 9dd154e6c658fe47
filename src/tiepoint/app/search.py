"""Jobs that rank images by the probability that they show the scene of a query image."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from tiepoint.app.jobs import Job
from tiepoint.app.messages import public_message
from tiepoint.app.models import Models
from tiepoint.app.options import MatchSettings
from tiepoint.app.pairs import VIEWER, write_viewer
from tiepoint.app.root import Root
from tiepoint.app.uploads import Upload, Uploads
from tiepoint.errors import InvalidInput, TiepointError
from tiepoint.html.embedding import embed_image
from tiepoint.image import Image, read_image
from tiepoint.matcher import Matcher
from tiepoint.result import MatchResult
from tiepoint.retrieval import Ranking
from tiepoint.types import Features

THUMBNAIL_SIDE, THUMBNAIL_BYTES = 320, 30_000

ReadImage: TypeAlias = Callable[[], Image]
"""Decodes an image; its source is the name that the user knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A query and the images to rank.

    Attributes:
        query: Query image.
        candidates: Functions that decode the images to rank.
        top: Number of results.
        match: Options of matching.
    """

    query: Upload
    candidates: Sequence[ReadImage]
    top: int
    match: MatchSettings


def from_uploads(images: Sequence[Upload], uploads: Uploads) -> list[ReadImage]:
    """Return functions that decode uploads."""
    return [partial(uploads.read, image) for image in images]


def from_folder(folder: str, root: Root, uploads: Uploads, max_images: int) -> list[ReadImage]:
    """Return functions that decode the images of a folder below the root.

    Raises:
        RequestError: If it is not such a folder, or has no images or too many.
    """
    return [partial(_read_below, root, name, uploads) for name in root.images(folder, max_images)]


def rank_images(
    request: SearchRequest, job: Job, uploads: Uploads, models: Models
) -> tuple[Ranking, list[ReadImage]]:
    """Match the query with all images, and keep the best results.

    Args:
        request: Query, images and options.
        job: Job that shows the progress, and stops the work.
        uploads: Images of the server.
        models: Networks of the server.

    Returns:
        The ranking, and functions that decode the image of each result.

    Raises:
        TiepointError: If the query cannot be read, or weights cannot be loaded.
    """
    with job.progress("load weights", None):
        matcher = models.matcher(request.match)
    query = uploads.read(request.query)
    problems: list[str] = []
    read: list[ReadImage] = []
    with job.progress("compare", len(request.candidates)) as advance:
        images = _readable(request.candidates, matcher, advance, problems, read)
        results = matcher.match_one_to_many(query, images, views=matcher.views)
        ranked = heapq.nlargest(request.top, _valid(results, problems), key=_key)
    ranking = Ranking(
        query=request.query.name,
        results=tuple(result for _, result in ranked),
        compared=len(read),
        problems=tuple(problems),
    )
    return ranking, [read[number] for number, _ in ranked]


def write_search_files(request: SearchRequest, job: Job, uploads: Uploads, models: Models) -> dict[str, Any]:
    """Rank images, and write the data of a viewer per result into the folder of the job.

    Returns:
        The ranking for the page, with a small picture per result.

    Raises:
        TiepointError: If the query cannot be read, or weights cannot be loaded.
    """
    ranking, read = rank_images(request, job, uploads, models)
    query, found = uploads.read(request.query), ranking.to_dict()
    with job.progress("draw", len(read)) as advance:
        for rank, (result, read_one) in enumerate(zip(ranking.results, read, strict=True), 1):
            image = read_one()
            write_viewer(result, None, (query, image), job.folder / f"{rank}-{VIEWER}")
            small = embed_image(
                read_image(image, stretch="auto"), max_side=THUMBNAIL_SIDE, max_bytes=THUMBNAIL_BYTES
            )
            found["found"][rank - 1]["picture"] = small.url
            advance(1)
    return found


def _read_below(root: Root, name: str, uploads: Uploads) -> Image:
    return uploads.read_file(root.image(name), name)


def _readable(
    candidates: Sequence[ReadImage],
    matcher: Matcher,
    advance: Callable[[int], None],
    problems: list[str],
    read: list[ReadImage],
) -> Iterator[Image | Features]:
    """Yield the features of every readable image, or its pixels if views are searched."""
    for read_one in candidates:
        try:
            image = read_one()
            item = image if matcher.views else matcher.extract(image)
        except TiepointError as error:
            problems.append(public_message(error))
        else:
            read.append(read_one)
            yield item
        advance(1)


def _valid(
    results: Iterator[MatchResult | InvalidInput], problems: list[str]
) -> Iterator[tuple[int, MatchResult]]:
    """Yield the number of each image that was matched, and its result."""
    for number, result in enumerate(results):
        if isinstance(result, InvalidInput):
            problems.append(public_message(result))
        else:
            yield number, result


def _key(numbered: tuple[int, MatchResult]) -> tuple[float, int]:
    verification = numbered[1].verify()
    return verification.probability, verification.num_inliers
