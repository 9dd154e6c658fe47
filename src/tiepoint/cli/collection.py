"""`tiepoint collection run PHOTOS OUT`, the same step by step, and what to do with what it leaves."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tiepoint.cli import collection_exports
from tiepoint.cli.options import (
    DeviceOption,
    LicenseOption,
    MaxErrorOption,
    MaxKeypointsOption,
    PresetOption,
    QuietOption,
    ResizeOption,
    ThreadsOption,
    ThresholdOption,
    set_up_logging,
)
from tiepoint.cli.problems import finish, finishing
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.collection.report.run_report import RunReport

app = typer.Typer(
    no_args_is_help=True,
    help="A folder of photographs: extract each once, match pairs, verify them; then COLMAP. Killed, it goes on.",
)
app.command("export")(collection_exports.export)
app.command("view")(collection_exports.view)

PhotosArgument = Annotated[
    Path, typer.Argument(help="Folder of photographs; its sub-folders count.", show_default=False)
]
OutArgument = Annotated[
    Path, typer.Argument(help="Output folder: new, empty, or of an earlier run.", show_default=False)
]
EarlierArgument = Annotated[Path, typer.Argument(help="Output folder of an earlier run.", show_default=False)]
PAIRS_HELP = (
    "exhaustive; sequential:K: each with the next K by name; retrieval:K: with the K that look most like it; "
    "spatial:K: with the K nearest by GPS; list:FILE: two names a line."
)
PairsOption = Annotated[str, typer.Option(metavar="CHOICE", help=PAIRS_HELP)]
OtherPairsOption = Annotated[
    str | None, typer.Option(metavar="CHOICE", help=f"{PAIRS_HELP} By default as before.", show_default=False)
]
EXECUTOR_HELP = "serial; processes:N; ray, a new cluster here; ray:ADDRESS, one that runs."
ExecutorOption = Annotated[str, typer.Option(metavar="WHO", help=EXECUTOR_HELP)]
OtherExecutorOption = Annotated[
    str | None,
    typer.Option(
        "--executor", metavar="WHO", help=f"{EXECUTOR_HELP} By default as before.", show_default=False
    ),
]
_UNCHOSEN = (
    "the pairs that are counted here weren't chosen by the last run, of the photographs that have features now; "
    "run it again, or: tiepoint collection pairs {out}"
)
StoresOption = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        help="Where features and matches go: a folder, or a URL such as s3://bucket/folder. By default into OUT.",
        show_default=False,
    ),
]


@app.command()
def run(
    photos: PhotosArgument,
    out: OutArgument,
    pairs: PairsOption = "exhaustive",
    preset: PresetOption = DEFAULT_PRESET,
    executor: ExecutorOption = "serial",
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Estimate the fundamental matrix of each pair.")
    ] = True,
    max_error: MaxErrorOption = 4.0,
    colmap: Annotated[bool, typer.Option("--colmap", help="Write OUT/colmap/database.db.")] = False,
    reconstruct: Annotated[
        bool, typer.Option("--reconstruct", help="Run COLMAP's mapper; the model is in OUT/colmap/sparse/0.")
    ] = False,
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    threshold: ThresholdOption = 0.1,
    stores: StoresOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Extract each photograph once, match pairs, verify them. What is done already isn't done again.

    Exits with 1 when a photograph or pair was left out, or photographs are the same, after all else is done.

    Example: tiepoint collection run photos/ out/ --pairs sequential:10 --reconstruct
    """
    from tiepoint.collection.run.runner import match_collection
    from tiepoint.geometry.colmap import require_pycolmap

    set_up_logging(quiet=quiet)
    if colmap or reconstruct:
        require_pycolmap()
    with finishing() as problems, _resumable():
        report = match_collection(
            photos,
            out,
            pairs=pairs,
            preset=preset,
            executor=executor,
            verify=verify,
            max_error_px=max_error,
            stores=stores,
            threads=threads,
            progress=_progress(quiet),
            max_keypoints=max_keypoints,
            resize=resize or None,
            filter_threshold=threshold,
            device=device,
            accept_license=accept_license,
        )
        problems += report.problems
        _print_report(report, quiet)
        if colmap or reconstruct:
            _hand_over(out, quiet, problems, reconstruct=reconstruct)


@app.command()
def extract(
    photos: PhotosArgument,
    out: OutArgument,
    preset: PresetOption = DEFAULT_PRESET,
    executor: ExecutorOption = "serial",
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    threshold: ThresholdOption = 0.1,
    stores: StoresOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> None:
    """First step of `run`: keypoints and descriptors of each photograph. The other steps keep its options.

    Example: tiepoint collection extract photos/ out/
    """
    from tiepoint.collection.run.runner import match_collection

    set_up_logging(quiet=quiet)
    with _resumable():
        report = match_collection(
            photos,
            out,
            until="extract",
            preset=preset,
            executor=executor,
            stores=stores,
            threads=threads,
            progress=_progress(quiet),
            max_keypoints=max_keypoints,
            resize=resize or None,
            filter_threshold=threshold,
            device=device,
            accept_license=accept_license,
        )
    _print_report(report, quiet)
    finish(report.problems)


@app.command("pairs")
def choose_pairs(out: EarlierArgument, pairs: OtherPairsOption = None, quiet: QuietOption = False) -> None:
    """Second step of `run`: choose pairs, and write them to OUT/pairs.txt.

    Example: tiepoint collection pairs out/ --pairs retrieval:20
    """
    _continue(out, "pairs", quiet, pairs=pairs)


@app.command("match")
def match_pairs(
    out: EarlierArgument,
    pairs: OtherPairsOption = None,
    executor: OtherExecutorOption = None,
    quiet: QuietOption = False,
) -> None:
    """Third step of `run`: match the chosen pairs.

    Example: tiepoint collection match out/ --executor processes:4
    """
    _continue(out, "match", quiet, pairs=pairs, executor=executor)


@app.command()
def verify(
    out: EarlierArgument,
    max_error: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="Largest error of an inlier, in px. By default as before.", show_default=False
        ),
    ] = None,
    executor: OtherExecutorOption = None,
    quiet: QuietOption = False,
) -> None:
    """Last step of `run`: estimate each pair's geometry. Damage in OUT is found, and what it cost is made again.

    Example: tiepoint collection verify out/
    """
    _continue(out, "verify", quiet, max_error_px=max_error, executor=executor)


@app.command()
def status(out: EarlierArgument) -> None:
    """What is done, what is missing, and what is damaged; every byte is read. Exits with 1 where something is.

    Example: tiepoint collection status out/
    """
    from tiepoint.cli.tables import print_table
    from tiepoint.collection.run.status import read_status

    found = read_status(out)
    print_table(
        ("stage", "done", "missing", "damaged files"),
        [(stage.name, stage.done, stage.missing, len(stage.damaged)) for stage in found.stages],
    )
    for line in found.damaged:
        print(f"tiepoint: {line}", file=sys.stderr)
    if not found.pairs_chosen:
        print(f"tiepoint: {_UNCHOSEN.format(out=out)}", file=sys.stderr)
    if not found.complete:
        raise typer.Exit(1)


def _continue(out: Path, until: Literal["pairs", "match", "verify"], quiet: bool, **changes: Any) -> None:
    from tiepoint.collection.run.runner import resume_collection

    set_up_logging(quiet=quiet)
    with _resumable():
        report = resume_collection(out, until=until, progress=_progress(quiet), **changes)
    _print_report(report, quiet)
    finish(report.problems)


def _hand_over(out: Path, quiet: bool, problems: list[str], *, reconstruct: bool) -> None:
    """Write COLMAP's database, and the model where that is wanted too; what went wrong is added to the problems."""
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.export.formats import export_as
    from tiepoint.collection.sfm.reconstruction import reconstruct as find_model

    collection = open_collection(out, tell=problems.append)
    if not reconstruct:
        _say(f"database: {export_as(collection, 'colmap')}", quiet)
        return
    found = find_model(collection)
    if not found.success:
        problems.append(f"no model: {found.reason}")
        return
    _say(
        f"model: {found.folder}, {found.registered} of {found.images} photographs, {found.points:,} points, "
        f"{found.mean_track_length:.1f} photographs a point, {found.mean_reprojection_error_px:.2f} px mean error",
        quiet,
    )
    problems += [f"{name} isn't in the model" for name in found.unregistered]


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        typer.echo(text)


def _print_report(report: "RunReport", quiet: bool) -> None:
    from tiepoint.cli.tables import print_table

    if not quiet:
        print_table(("", ""), report.rows())
        for note in report.notes:
            typer.echo(note)


@contextmanager
def _resumable() -> Iterator[None]:
    """Ctrl-C ends a run, and costs little."""
    try:
        yield
    except KeyboardInterrupt:
        print("tiepoint: interrupted; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(130) from None


def _progress(quiet: bool) -> Callable[[str, int], AbstractContextManager[Callable[[int], None]]]:
    from tiepoint.collection.progress import no_progress

    return no_progress if quiet else _bar


@contextmanager
def _bar(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, with rate and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not total) as bars:
        bar = bars.add_task(text, total=total, rate="")

        def advance(count: int) -> None:
            bars.advance(bar, count)
            speed = bars.tasks[bar].finished_speed or bars.tasks[bar].speed
            bars.update(bar, rate=f"{speed:.2f}/s" if speed else "")

        yield advance
