"""match_collection: a folder of photographs becomes features, matches and geometry, on a laptop or a cluster.

Stages follow each other: find, extract, pairs, match, verify. Each does what the stores lack, and no more; so a run that
was killed, at any moment, is ended by the same call, and a run with more photographs does those and their pairs only.
"""

import math
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from tiepoint.collection.images import ImageRecord, group_by_content, scan_images
from tiepoint.collection.pairs.pair_list import check_pair_list
from tiepoint.collection.pairs.retrieval import require_faiss
from tiepoint.collection.pairs.selection import parse_pair_selection
from tiepoint.collection.progress import Progress, no_progress
from tiepoint.collection.report.run_report import RunReport
from tiepoint.collection.run.executors.registry import check_executor, open_executor
from tiepoint.collection.run.stages import RunLog, Stages
from tiepoint.collection.run.tasks import Job
from tiepoint.collection.state import (
    State,
    clear_leftovers,
    prepare_folder,
    read_state,
    stores_location,
    write_state,
)
from tiepoint.collection.stores import Stores
from tiepoint.errors import InvalidInput
from tiepoint.presets import DEFAULT_PRESET, find_preset

Stage = Literal["extract", "pairs", "match", "verify"]
"""The last stage of a run."""

LATER = ("pairs", "verify", "max_error_px")
"""Options of the stages behind "extract": a run that ends there keeps those of an earlier one."""


def match_collection(
    photos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    pairs: str = "exhaustive",
    preset: str = DEFAULT_PRESET,
    executor: str = "serial",
    verify: bool = True,
    max_error_px: float = 4.0,
    until: Stage = "verify",
    stores: str | None = None,
    threads: int | None = None,
    progress: Progress = no_progress,
    **options: Any,
) -> RunReport:
    """Extract each photograph of a folder once, match chosen pairs, and verify them; what is done isn't done again.

    Args:
        photos: the folder; photographs in its sub-folders count too.
        out: the output folder; new, empty, or of an earlier run. `tiepoint.open_collection` reads it.
        pairs: "exhaustive" (all), "sequential:K" (each with the next K by name), "retrieval:K" (each with the K that look
            most like it), "spatial:K" (each with the K nearest by GPS) or "list:FILE" (two names a line).
        preset: see `tiepoint presets`.
        executor: "serial", "processes:N" (scripts need `if __name__ == "__main__":`) or "ray[:ADDRESS]".
        verify: whether to estimate each pair's fundamental matrix.
        max_error_px: largest Sampson error of an inlier; the default is COLMAP's own.
        until: the last stage: "extract", "pairs", "match" or "verify". A run until "extract" leaves it at the pairs,
            verify and max_error_px of an earlier run, where there was one.
        stores: where features and matches go: a folder, or a URL such as "s3://bucket/folder"; None: into `out`.
        threads: of torch in each worker; None: with "processes" a share of the cores, with "ray" one, else as it is.
        progress: shows how far it is.
        **options: as for `tiepoint.load`.

    Returns:
        What was found, done and left out; `out` has the same as report.json and report.html, or neither where the last
        run didn't end.

    Raises:
        InvalidInput: an option that can't be, no photographs, or `out` can't be written to or holds something else.
        StoreError: another version of tiepoint made `out`; or a shard was damaged while it was needed: run it again.
        ExecutorError: workers can't be reached, or died again and again.
        MissingDependency: a library that an option needs isn't installed.
        WeightsError: weights can't be found, fetched or loaded.

    Example:
        >>> report = tiepoint.match_collection("photos/", "out/", pairs="sequential:10")
        >>> report.images, report.pairs, report.inliers, report.problems
    """
    _check_options(pairs, preset, executor, max_error_px, until, options)
    choice = parse_pair_selection(pairs).absolute()
    asked = {
        "pairs": str(choice),
        "preset": preset,
        "executor": executor,
        "verify": verify,
        "max_error_px": float(max_error_px),
        "threads": threads,
        "load": options,
    }
    photos, folder, diary = Path(photos).absolute(), Path(out), RunLog(progress)
    list_digest = choice.list_digest()
    last: Stage = "match" if until == "verify" and not verify else until
    with diary.timed("total"):
        before = prepare_folder(folder)
        RunReport.remove(folder)
        if before and last == "extract":
            asked |= {name: value for name, value in before.options.items() if name in LATER}
            list_digest = before.list_digest
        photographs = _find(photos, before, diary)
        plan = State(
            photos=photos,
            photographs=photographs,
            options=asked,
            stores=str(Path(stores).absolute()) if stores and "://" not in stores else stores or "",
            settings={},
            list_digest=list_digest,
        )
        counts = _work(plan, folder, last, diary)
    report = RunReport(
        out=str(out),
        photos=str(photos),
        options=asked,
        photographs=len(photographs) + diary.unreadable,
        **counts,
        **diary.contents(),
    )
    report.save(folder)
    return report


def resume_collection(
    out: str | os.PathLike[str],
    *,
    until: Stage,
    pairs: str | None = None,
    executor: str | None = None,
    max_error_px: float | None = None,
    progress: Progress = no_progress,
) -> RunReport:
    """Go on with a run up to a stage, with the options that it had.

    Args:
        out: the output folder.
        until: as for `match_collection`.
        pairs: as for `match_collection`; None: as before, as for all that follow.
        executor: likewise.
        max_error_px: likewise.
        progress: as for `match_collection`.

    Raises:
        TiepointError: as for `match_collection`, and where there is no run to go on with.
    """
    before = read_state(Path(out))
    given = {"pairs": pairs, "executor": executor, "max_error_px": max_error_px}
    options = before.options | {name: value for name, value in given.items() if value is not None}
    loading = options.pop("load")
    return match_collection(
        before.photos,
        out,
        until=until,
        stores=before.stores or None,
        progress=progress,
        **{**options, "verify": options["verify"] or until == "verify"},
        **loading,
    )


def _find(photos: str | os.PathLike[str], before: State | None, diary: RunLog) -> tuple[ImageRecord, ...]:
    with diary.timed("find"):
        photographs, problems = scan_images(photos, before.photographs if before else ())
    if not photographs:
        why = f"none of {len(problems)} can be used: {problems[0]}" if problems else "it has none"
        raise InvalidInput(f"expected photographs in {photos}, but {why}")
    diary.problems += [*problems, *_twins(photographs)]
    diary.unreadable = len(problems)
    return photographs


def _twins(photographs: tuple[ImageRecord, ...]) -> list[str]:
    groups = (group for group in group_by_content(photographs) if len(group) > 1)
    return [
        f"{' and '.join(photograph.name for photograph in group)} have the same content: a pair of them shows nothing "
        "of the place; remove all but one"
        for group in groups
    ]


def _work(plan: State, folder: Path, until: Stage, diary: RunLog) -> dict[str, int]:
    """Start workers, write down what they are to do, and go through the stages; what there is then, in numbers."""
    options, location = plan.options, stores_location(folder, plan.stores)
    clear_leftovers(folder, location)
    job = Job(
        preset=options["preset"],
        load=options["load"],
        max_error_px=options["max_error_px"],
        stores=location,
        threads=options["threads"],
    )
    with ExitStack() as stack:
        with diary.timed("load"):
            workers = stack.enter_context(open_executor(options["executor"], job))
        write_state(folder, replace(plan, settings=workers.settings))
        # what is far away is read when it is needed, and found damaged then
        stores = Stores.open(location, workers.settings, check="headers" if "://" in location else "bytes")
        return _go_through(Stages(plan.photographs, stores, workers, diary), folder, options["pairs"], until)


def _go_through(stages: Stages, folder: Path, pairs: str, until: Stage) -> dict[str, int]:
    wanted = get_args(Stage)[: get_args(Stage).index(until) + 1]
    stages.check()
    stages.extract()
    counts = {"images": len(stages.usable()), "keypoints": stages.count_keypoints()}
    if "pairs" not in wanted:
        return counts
    chosen = stages.choose(pairs, folder)
    if "match" in wanted:
        stages.match(chosen)
    if "verify" in wanted:
        stages.verify(chosen)
    return {**counts, "chosen": len(chosen), **stages.count(chosen)}


def _check_options(
    pairs: str, preset: str, executor: str, max_error_px: float, until: str, load: Mapping[str, Any]
) -> None:
    """Find out before the work what can't be."""
    choice = parse_pair_selection(pairs)
    if choice.method == "list":
        check_pair_list(choice.argument)
    if choice.method == "retrieval":
        require_faiss()
    find_preset(preset)
    check_executor(executor)
    if not (math.isfinite(max_error_px) and max_error_px > 0):
        raise InvalidInput(f"max_error_px must be a number of px above 0, but is {max_error_px!r}")
    if load.get("rotations") is not None:
        raise InvalidInput("a collection extracts each photograph once, so rotations can't be used with it")
    if until not in get_args(Stage):
        raise InvalidInput(f"until must be one of {', '.join(get_args(Stage))}, but is {until!r}")
