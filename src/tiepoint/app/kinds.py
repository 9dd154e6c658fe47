"""KINDS: the jobs that the page can start: from JSON values to a job in the queue."""

from collections.abc import Callable
from typing import Any

from tiepoint.app.jobs import Job
from tiepoint.app.messages import RequestError
from tiepoint.app.options import MAX_TOP, parse_geometry, parse_integer, parse_match
from tiepoint.app.pairs import PairRequest, parse_mask, write_pair_files
from tiepoint.app.search import ReadImage, SearchRequest, from_folder, from_uploads, write_search_files
from tiepoint.app.service import Service
from tiepoint.app.uploads import Upload

Values = dict[str, Any]


def submit_match(values: Values, service: Service) -> Job:
    """Queue the matching of a pair.

    Raises:
        RequestError: If a value is invalid, or the queue is full.
    """
    pair = _parse_pair(values, values, service)

    def work(job: Job) -> Values:
        job.value = {"": pair}
        return write_pair_files(pair, job, service.uploads, service.models)

    return service.submit("match", work, pair.images)


def submit_comparison(values: Values, service: Service) -> Job:
    """Queue the matching of a pair with two sets of options, `a` and `b`.

    Raises:
        RequestError: If a value is invalid, or the queue is full.
    """
    both = {name: _parse_pair(values, _parse_options(values, name), service) for name in ("a", "b")}

    def work(job: Job) -> Values:
        job.value = {f"{name}-": pair for name, pair in both.items()}
        return {
            name: write_pair_files(pair, job, service.uploads, service.models, f"{name}-")
            for name, pair in both.items()
        }

    return service.submit("compare", work, both["a"].images)


def submit_search(values: Values, service: Service) -> Job:
    """Queue the ranking of images.

    Raises:
        RequestError: If a value is invalid, or the queue is full.
    """
    query, images = service.uploads.get(values.get("query")), _parse_images(values, service)
    search = SearchRequest(
        query=query,
        candidates=from_uploads(images, service.uploads) or _from_folder(values, service),
        top=parse_integer(values, "top", 10, 1, MAX_TOP),
        match=parse_match(values, service.settings),
    )
    return service.submit(
        "find",
        lambda job: write_search_files(search, job, service.uploads, service.models),
        [query, *images],
    )


KINDS: dict[str, Callable[[Values, Service], Job]] = {
    "match": submit_match,
    "compare": submit_comparison,
    "find": submit_search,
}
"""Kind -> function that validates the values and queues the job."""


def _parse_pair(values: Values, options: Values, service: Service) -> PairRequest:
    return PairRequest(
        images=(service.uploads.get(values.get("image0")), service.uploads.get(values.get("image1"))),
        masks=(parse_mask(values.get("mask0"), "mask0"), parse_mask(values.get("mask1"), "mask1")),
        match=parse_match(options, service.settings),
        geometry=parse_geometry(values),
    )


def _parse_options(values: Values, name: str) -> Values:
    options = values.get(name)
    if not isinstance(options, dict):
        raise RequestError(f"{name}: expected a JSON object of options", 422)
    return options


def _parse_images(values: Values, service: Service) -> list[Upload]:
    """Return the uploads to rank; none if a folder is given instead."""
    images, folder = values.get("images") or [], values.get("folder")
    limit = service.settings.limits.max_images
    if isinstance(folder, str) and folder and not images:
        return []
    if not isinstance(images, list) or not 0 < len(images) <= limit:
        raise RequestError(f"images: expected 1 to {limit} images, or a folder", 422)
    return [service.uploads.get(each) for each in images]


def _from_folder(values: Values, service: Service) -> list[ReadImage]:
    limit = service.settings.limits.max_images
    return from_folder(values["folder"], service.root, service.uploads, limit)
