"""match_collection: extract, match and verify a folder of images, on one machine or on a cluster.

The stages are: scan, extract, pairs, match, verify. Each computes only the records that the stores lack. So an interrupted
run resumes with the same call, and a run with additional images processes only these and their pairs.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Unpack, get_args

from tiepoint.collection.images import ImageRecord, group_by_content, scan_images
from tiepoint.collection.report.run_report import RunReport
from tiepoint.collection.run.executors.registry import open_executor
from tiepoint.collection.run.given_weights import check_same_weights, digests_of
from tiepoint.collection.run.options import CollectionOptions, threshold_of
from tiepoint.collection.run.progress_writer import ProgressWriter, written_progress
from tiepoint.collection.run.stages import RunLog, Stages
from tiepoint.collection.run.tasks import Job
from tiepoint.collection.state import (
    State,
    Stores,
    clear_leftovers,
    prepare_folder,
    read_state,
    stores_location,
    write_state,
)
from tiepoint.errors import InvalidInput
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.io.messages import unknown_name
from tiepoint.io.progress import Progress, to_callback
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.types.options import NetworkOptions, Prescreen

Stage = Literal["extract", "pairs", "match", "verify"]
"""Stages at which a run can stop."""

LATER_OPTIONS = ("pairs", "verify", "max_error_px", "prescreen")
"""Options of the stages after "extract"; a run that stops there keeps the values of the previous run."""


def match_collection(
    image_folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    pairs: str = "exhaustive",
    preset: str = DEFAULT_PRESET,
    executor: str = "serial",
    verify: bool = True,
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX,
    prescreen: Prescreen = "auto",
    stop_after: Stage = "verify",
    stores: str | None = None,
    threads: int | None = None,
    progress: Progress = False,
    **options: Unpack[NetworkOptions],
) -> RunReport:
    """Extract each image of a folder once, match the selected pairs and verify them; finished work is not repeated.

    Args:
        image_folder: Folder of the images, including its subfolders.
        out: Output folder: new, empty, or of an earlier run. `tiepoint.open_collection` reads it.
        pairs: Pair selection: "exhaustive" (all pairs), "sequential:K" (each image and the next K by name;
            "sequential:K+loops" adds the most similar images elsewhere in the sequence),
            "retrieval:K" (the K most similar images), "spatial:K" (the K nearest images by GPS), "covisible:MODEL"
            (the 20 images that share most points of a COLMAP model, such as that of an earlier run) or "list:FILE" (two
            names per line).
        preset: Name of the preset, see `tiepoint presets`.
        executor: "serial", "processes:N" (scripts need `if __name__ == "__main__":`) or "ray[:ADDRESS]".
        verify: Whether to estimate the fundamental matrix of each pair.
        max_error_px: Inlier threshold (Sampson error) of the verification in px.
        prescreen: Minimum probability of a pair that is matched in full, from a cheap match; "auto" for the threshold of
            the preset, for exhaustive pairs and pairs by retrieval; None matches all. Pairs below have no matches, and
            a record of their probability.
        stop_after: Last stage: "extract", "pairs", "match" or "verify". A run that stops after "extract" keeps pairs,
            verify and max_error_px of the previous run, if there is one.
        stores: Folder or URL ("s3://bucket/folder") of features and matches; None for a subfolder of `out`.
        threads: Number of torch threads per worker; None is an equal share of the CPU cores with "processes", 1 with
            "ray", and unchanged with "serial".
        progress: Whether to show bars on stderr, or a callback that shows the progress.
        **options: Options of `tiepoint.load`.

    Returns:
        Report of the run. It is also written to `out` as report.json and report.html; those of an earlier run are kept
        until this one has finished.

    Raises:
        InvalidInput: If an option is invalid, there are no images, `out` cannot be written to or is not a collection, or
            it was computed with other weights of the same preset.
        StoreError: If another format version of tiepoint wrote `out`, or a shard was found damaged when it was needed;
            run the same command again.
        ExecutorError: If workers cannot be reached, or died repeatedly.
        MissingDependency: If a library that an option needs is not installed.
        WeightsError: If weights cannot be found, downloaded or loaded.

    Example:
        >>> report = tiepoint.match_collection("photos/", "out/", pairs="sequential:10")
        >>> report.images, report.pairs, report.inliers, report.problems
    """
    checked = CollectionOptions(
        pairs=pairs,
        preset=preset,
        executor=executor,
        verify=verify,
        max_error_px=max_error_px,
        threads=threads,
        prescreen=prescreen,
        load=options,
    )
    request = _Request(
        Path(image_folder).absolute(), Path(out), checked, stores, _last_stage(stop_after, verify)
    )
    return _run(request, RunLog(to_callback(progress)))


def resume_collection(
    out: str | os.PathLike[str],
    *,
    stop_after: Stage,
    pairs: str | None = None,
    executor: str | None = None,
    max_error_px: float | None = None,
    extractor_weights: str | Path | Sequence[str | Path] | None = None,
    matcher_weights: str | Path | None = None,
    progress: Progress = False,
) -> RunReport:
    """Resume a run up to a stage, with the options of the previous run.

    Args:
        out: Output folder.
        stop_after: Last stage, as for `match_collection`.
        pairs: Pair selection; None keeps that of the previous run.
        executor: Executor; None keeps that of the previous run.
        max_error_px: Inlier threshold in px; None keeps that of the previous run.
        extractor_weights: Extractor weights of the previous run, if the files were moved; others are refused.
        matcher_weights: Matcher weights of the previous run, if the file was moved; others are refused.
        progress: Whether to show bars on stderr, or a callback that shows the progress.

    Raises:
        TiepointError: For the reasons of `match_collection`, or if there is no previous run.
    """
    previous = read_state(Path(out))
    weights = {"extractor_weights": extractor_weights, "matcher_weights": matcher_weights}
    changes = {"pairs": pairs, "executor": executor, "max_error_px": max_error_px}
    options = previous.options | {name: value for name, value in changes.items() if value is not None}
    load_options = options.pop("load") | {name: value for name, value in weights.items() if value is not None}
    options.pop("weights", None)
    options["verify"] = options["verify"] or stop_after == "verify"
    return match_collection(
        previous.image_folder,
        out,
        stop_after=stop_after,
        stores=previous.stores or None,
        progress=progress,
        **options,
        **load_options,
    )


@dataclass(frozen=True, slots=True)
class _Request:
    """Validated arguments of a run."""

    image_folder: Path
    out: Path
    options: CollectionOptions
    stores: str | None
    last: Stage


def _last_stage(stop_after: Stage, verify: bool) -> Stage:
    if stop_after not in get_args(Stage):
        raise InvalidInput(unknown_name("stage of stop_after", stop_after, get_args(Stage)))
    return "match" if stop_after == "verify" and not verify else stop_after


def _run(request: _Request, log: RunLog) -> RunReport:
    options: dict[str, Any] = request.options.to_dict()
    list_digest = request.options.selection.list_digest()
    with log.timed("total"):
        previous = prepare_folder(request.out)
        options["weights"] = digests_of(request.options.load)
        if previous:
            check_same_weights(request.out, previous.options, options)
        if previous and request.last == "extract":
            options |= {name: value for name, value in previous.options.items() if name in LATER_OPTIONS}
            list_digest = previous.list_digest
        images = _scan(request.image_folder, previous, log)
        plan = State(
            image_folder=request.image_folder,
            images=images,
            options=options,
            stores=_absolute_location(request.stores),
            settings={},
            list_digest=list_digest,
        )
        with written_progress(request.out, options["executor"]) as progress:
            counts = _execute(plan, request.out, request.last, log, progress)
    report = RunReport(
        out=str(request.out),
        image_folder=str(request.image_folder),
        options=options,
        files=len(images) + log.unreadable,
        **counts,
        **log.contents(),
    )
    report.save(request.out)
    return report


def _absolute_location(stores: str | None) -> str:
    return str(Path(stores).absolute()) if stores and "://" not in stores else stores or ""


def _scan(image_folder: Path, previous: State | None, log: RunLog) -> tuple[ImageRecord, ...]:
    with log.timed("scan"):
        images, problems = scan_images(image_folder, previous.images if previous else ())
    if not images:
        reason = (
            f"none of {len(problems)} image files can be read: {problems[0]}" if problems else "it has none"
        )
        raise InvalidInput(f"expected images in {image_folder}, but {reason}")
    log.problems += [*problems, *_find_duplicates(images)]
    log.unreadable = len(problems)
    return images


def _find_duplicates(images: tuple[ImageRecord, ...]) -> list[str]:
    groups = (group for group in group_by_content(images) if len(group) > 1)
    return [
        f"{' and '.join(image.name for image in group)} are duplicates (same content), and their pairs have no baseline; "
        "remove all but one"
        for group in groups
    ]


def _execute(plan: State, folder: Path, last: Stage, log: RunLog, progress: ProgressWriter) -> dict[str, int]:
    """Start the workers, write the state, and run all stages; return the counts of the report."""
    options, location = plan.options, stores_location(folder, plan.stores)
    clear_leftovers(folder, location)
    job = Job(
        preset=options["preset"],
        load=options["load"],
        max_error_px=options["max_error_px"],
        stores=location,
        threads=options["threads"],
        prescreen=threshold_of(options),
    )
    with ExitStack() as stack:
        with log.timed("load"):
            executor = stack.enter_context(open_executor(options["executor"], job))
        write_state(folder, replace(plan, settings=executor.settings))
        # remote shards are read only when they are needed; damage is found then
        stores = Stores.open(location, executor.settings, check="headers" if "://" in location else "bytes")
        return _run_stages(
            Stages(plan.images, stores, executor, log, progress), folder, options["pairs"], last
        )


def _run_stages(stages: Stages, folder: Path, pairs: str, last: Stage) -> dict[str, int]:
    wanted = get_args(Stage)[: get_args(Stage).index(last) + 1]
    stages.check()
    stages.extract()
    counts = {"images": len(stages.usable()), "keypoints": stages.count_keypoints()}
    if "pairs" not in wanted:
        return counts
    selected = stages.select(pairs, folder)
    if "match" in wanted:
        stages.match(selected)
    if "verify" in wanted:
        stages.verify(selected)
    return {**counts, "selected": len(selected), **stages.count(selected)}
