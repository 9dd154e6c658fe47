"""`tiepoint collection`: match a folder of images in one command or step by step, export and reconstruct it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tiepoint.cli import collection_exports, collection_models, collection_plan, collection_watch
from tiepoint.cli.command_group import new_app
from tiepoint.cli.completion import EXECUTORS, PAIRS, complete_from
from tiepoint.cli.flags import name_flags, print_problem
from tiepoint.cli.options import (
    DeviceOption,
    ExtractorWeightsOption,
    LicenseOption,
    MatcherWeightsOption,
    MaxKeypointsOption,
    MinPrecisionOption,
    PresetOption,
    QuietOption,
    ResizeOption,
    StretchOption,
    ThreadsOption,
    ThresholdOption,
    UpscaleOption,
    parse_prescreen,
    parse_stretch,
    score_options,
    set_up_logging,
    weights_options,
)
from tiepoint.cli.problems import finish, finishing
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.collection.report.run_report import RunReport
    from tiepoint.io.progress import ProgressCallback
    from tiepoint.types.options import NetworkOptions

app = new_app(
    help="Match a folder of images: extract each once, match pairs, verify them, run COLMAP. Resumable. Needs the extra collection.\n\nExample: tiepoint collection run photos/ out/ --colmap",
)
app.command("export")(collection_exports.export)
app.command("view")(collection_exports.view)
app.command("plan")(collection_plan.plan)
app.command("watch")(collection_watch.watch)

ImagesArgument = Annotated[
    Path, typer.Argument(help="Folder of the images, including its subfolders.", show_default=False)
]
OutArgument = Annotated[
    Path, typer.Argument(help="Output folder: new, empty, or of an earlier run.", show_default=False)
]
EarlierArgument = Annotated[Path, typer.Argument(help="Output folder of an earlier run.", show_default=False)]
complete_pairs, complete_executor = complete_from(*PAIRS), complete_from(*EXECUTORS)
PREVIOUS = "value of the previous run"
PAIRS_HELP = (
    "Pair selection: exhaustive; sequential:K (each image and the next K by name; K+loops adds similar ones elsewhere); retrieval:K (the K most similar "
    "images); spatial:K (the K nearest by GPS); covisible:MODEL (20 that share most points of a COLMAP model); list:FILE (two names "
    "per line)."
)
PairsOption = Annotated[str, typer.Option(metavar="METHOD", help=PAIRS_HELP, autocompletion=complete_pairs)]
PreviousPairsOption = Annotated[
    str | None,
    typer.Option(metavar="METHOD", help=PAIRS_HELP, show_default=PREVIOUS, autocompletion=complete_pairs),
]
EXECUTOR_HELP = "serial; processes:N; ray (a new local cluster); ray:ADDRESS (a running cluster)."
ExecutorOption = Annotated[
    str, typer.Option(metavar="EXECUTOR", help=EXECUTOR_HELP, autocompletion=complete_executor)
]
PreviousExecutorOption = Annotated[
    str | None,
    typer.Option(
        "--executor",
        metavar="EXECUTOR",
        help=EXECUTOR_HELP,
        show_default=PREVIOUS,
        autocompletion=complete_executor,
    ),
]
MAX_ERROR_HELP = "Inlier threshold in px of the original images."
MaxErrorOption = Annotated[float, typer.Option(min=0.01, help=MAX_ERROR_HELP)]
PreviousMaxErrorOption = Annotated[
    float | None, typer.Option(min=0.01, help=MAX_ERROR_HELP, show_default=PREVIOUS)
]
PreviousMatcherWeightsOption = Annotated[
    str | None,
    typer.Option(
        "--matcher-weights",
        metavar="FILE",
        help="Matcher weights of the previous run, if moved; others are refused.",
        show_default=PREVIOUS,
    ),
]
PreviousExtractorWeightsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--extractor-weights",
        metavar="FILE",
        help="Extractor weights of the previous run, if moved; others are refused.",
        show_default=PREVIOUS,
    ),
]
PrescreenOption = Annotated[
    str,
    typer.Option(
        metavar="auto|off|P",
        help="Match only pairs in full whose cheap match has at least this probability; auto: the preset's threshold, for "
        "exhaustive pairs and pairs by retrieval.",
        autocompletion=complete_from("auto", "off"),
    ),
]
StoresOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|URL",
        help="Storage of features and matches: a folder, or a URL such as s3://bucket/folder.",
        show_default="OUT/stores",
    ),
]
_OUTDATED_PAIRS = (
    "the counted pairs are not the selection of the last run among the images that have features now; "
    "run it again, or: tiepoint collection pairs {out}"
)


@app.command()
def run(
    images: ImagesArgument,
    out: OutArgument,
    pairs: PairsOption = "exhaustive",
    preset: PresetOption = DEFAULT_PRESET,
    executor: ExecutorOption = "serial",
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Estimate the fundamental matrix of each pair.")
    ] = True,
    max_error_px: MaxErrorOption = TWO_VIEW_MAX_ERROR_PX,
    prescreen: PrescreenOption = "auto",
    colmap: Annotated[
        bool, typer.Option("--colmap", help="Write a COLMAP database, OUT/colmap/database.db.")
    ] = False,
    reconstruct: Annotated[
        bool, typer.Option("--reconstruct", help="Run COLMAP's mapper; the model is in OUT/colmap/sparse/0.")
    ] = False,
    to: Annotated[
        list[collection_exports.Format],
        typer.Option(
            metavar="FORMAT",
            help=f"Also export: {collection_exports.FORMATS}. Formats of the model imply --reconstruct. May be repeated.",
        ),
    ] = [],  # noqa: B006
    cameras: collection_exports.CamerasOption = collection_exports.Cameras.SHARED,
    intrinsics: collection_models.IntrinsicsOption = None,
    poses: collection_models.PosesOption = None,
    refine_poses: collection_models.RefineOption = False,
    use_priors: collection_models.PriorsOption = False,
    refine_keypoints: collection_models.KeypointsOption = False,
    mapper: collection_models.MapperOption = collection_models.MapperName.INCREMENTAL,
    mapper_option: collection_models.MapperOptionOption = [],  # noqa: B006
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    upscale: UpscaleOption = None,
    stretch: StretchOption = "none",
    threshold: ThresholdOption = None,
    min_precision: MinPrecisionOption = None,
    stores: StoresOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    matcher_weights: MatcherWeightsOption = None,
    extractor_weights: ExtractorWeightsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Extract each image once, match pairs, verify them. Finished work is not repeated.

    Exits with status 1 if an image or pair was left out, or images are duplicates, after all other work is done.

    Example: tiepoint collection run photos/ out/ --pairs sequential:10 --to nerfstudio
    """
    from tiepoint.collection.export.formats import MODEL_EXPORTS
    from tiepoint.collection.run.runner import match_collection
    from tiepoint.geometry.colmap import require_pycolmap

    set_up_logging(quiet=quiet)
    given = score_options(threshold, min_precision) | weights_options(matcher_weights, extractor_weights)
    reconstruct = reconstruct or any(each.value in MODEL_EXPORTS for each in to)
    if colmap or reconstruct:
        require_pycolmap()
    mapping = collection_models.parse_mapping(
        collection_models.MappingFlags(
            cameras.value,
            mapper.value,
            mapper_option,
            intrinsics,
            poses,
            refine_poses,
            use_priors,
            refine_keypoints,
        ),
        colmap=colmap,
        reconstruct=reconstruct,
    )
    with finishing() as problems, _resumable():
        report = match_collection(
            images,
            out,
            pairs=pairs,
            preset=preset,
            executor=executor,
            verify=verify,
            max_error_px=max_error_px,
            prescreen=parse_prescreen(prescreen),
            stores=stores,
            threads=threads,
            progress=_progress(quiet),
            **_network_options(max_keypoints, resize, upscale, stretch, device, accept_license, given),
        )
        problems += report.problems
        _print_report(report, quiet)
        if colmap or reconstruct:
            collection_models.export_or_reconstruct(
                out, problems, mapping, reconstruct=reconstruct, quiet=quiet
            )
        collection_exports.export_all(out, to, problems, quiet=quiet)


@app.command()
def extract(
    images: ImagesArgument,
    out: OutArgument,
    preset: PresetOption = DEFAULT_PRESET,
    executor: ExecutorOption = "serial",
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    upscale: UpscaleOption = None,
    stretch: StretchOption = "none",
    threshold: ThresholdOption = None,
    min_precision: MinPrecisionOption = None,
    stores: StoresOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    matcher_weights: MatcherWeightsOption = None,
    extractor_weights: ExtractorWeightsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Step 1 of `run`: extract keypoints and descriptors of each image. The other steps keep its options.

    Example: tiepoint collection extract photos/ out/
    """
    from tiepoint.collection.run.runner import match_collection

    set_up_logging(quiet=quiet)
    given = score_options(threshold, min_precision) | weights_options(matcher_weights, extractor_weights)
    with _resumable():
        report = match_collection(
            images,
            out,
            stop_after="extract",
            preset=preset,
            executor=executor,
            stores=stores,
            threads=threads,
            progress=_progress(quiet),
            **_network_options(max_keypoints, resize, upscale, stretch, device, accept_license, given),
        )
    _print_report(report, quiet)
    finish(report.problems)


@app.command("pairs")
def select_pairs(out: EarlierArgument, pairs: PreviousPairsOption = None, quiet: QuietOption = False) -> None:
    """Step 2 of `run`: select pairs and write them to OUT/pairs.txt.

    Example: tiepoint collection pairs out/ --pairs retrieval:20
    """
    _resume(out, "pairs", quiet, pairs=pairs)


@app.command("match")
def match_pairs(
    out: EarlierArgument,
    pairs: PreviousPairsOption = None,
    executor: PreviousExecutorOption = None,
    matcher_weights: PreviousMatcherWeightsOption = None,
    extractor_weights: PreviousExtractorWeightsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Step 3 of `run`: match the selected pairs.

    Example: tiepoint collection match out/ --executor processes:4
    """
    weights = weights_options(matcher_weights, extractor_weights)
    _resume(out, "match", quiet, pairs=pairs, executor=executor, **weights)


@app.command()
def verify(
    out: EarlierArgument,
    max_error_px: PreviousMaxErrorOption = None,
    executor: PreviousExecutorOption = None,
    quiet: QuietOption = False,
) -> None:
    """Step 4 of `run`: estimate the two-view geometry of each pair. Damaged records are found and recomputed.

    Example: tiepoint collection verify out/
    """
    _resume(out, "verify", quiet, max_error_px=max_error_px, executor=executor)


@app.command("add")
def add_images(
    out: EarlierArgument,
    pairs: PreviousPairsOption = None,
    executor: PreviousExecutorOption = None,
    refine_poses: Annotated[
        bool,
        typer.Option("--refine-poses", help="Refine the poses of the images that the model has already."),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Match images that were put into the image folder since, and register them in the existing model.

    Exits with status 1 if an image was left out or is not registered. Finished work is not repeated.

    Example: tiepoint collection add out/
    """
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.run.runner import resume_collection
    from tiepoint.collection.sfm.extension import extend_reconstruction
    from tiepoint.collection.sfm.reconstruction import read_model

    set_up_logging(quiet=quiet)
    read_model(open_collection(out))
    with finishing() as problems, _resumable():
        report = resume_collection(
            out, stop_after="verify", progress=_progress(quiet), pairs=pairs, executor=executor
        )
        problems += report.problems
        _print_report(report, quiet)
        collection = open_collection(out, on_warning=problems.append)
        collection_models.print_model(
            extend_reconstruction(collection, keep_poses=not refine_poses), problems, quiet=quiet
        )


@app.command()
def status(out: EarlierArgument) -> None:
    """Show finished, missing and damaged records; reads every byte. Exits with status 1 if the run is incomplete.

    Example: tiepoint collection status out/
    """
    from tiepoint.cli.tables import print_table
    from tiepoint.collection.run.status import read_status

    status = read_status(out)
    print_table(
        ("stage", "done", "missing", "damaged files"),
        [(stage.name, stage.done, stage.missing, len(stage.damaged)) for stage in status.stages],
    )
    for message in status.damaged:
        print_problem(message)
    if not status.pairs_are_current:
        print_problem(_OUTDATED_PAIRS.format(out=out))
    if not status.is_complete:
        raise typer.Exit(1)


def _network_options(
    max_keypoints: int,
    resize: int,
    upscale: bool | None,
    stretch: str,
    device: str,
    accept_license: bool,
    given: "NetworkOptions",
) -> "NetworkOptions":
    options: NetworkOptions = {
        **given,
        "max_keypoints": max_keypoints,
        "resize": resize or None,
        "stretch": parse_stretch(stretch),
        "device": device,
        "accept_license": accept_license,
    }
    return options if upscale is None else {**options, "upscale": upscale}


def _resume(out: Path, stop_after: Literal["pairs", "match", "verify"], quiet: bool, **changes: Any) -> None:
    from tiepoint.collection.run.runner import resume_collection

    set_up_logging(quiet=quiet)
    with _resumable():
        report = resume_collection(out, stop_after=stop_after, progress=_progress(quiet), **changes)
    _print_report(report, quiet)
    finish(report.problems)


def _print_report(report: "RunReport", quiet: bool) -> None:
    from tiepoint.cli.tables import print_table

    if not quiet:
        print_table(("", ""), report.rows())
        for note in report.notes:
            typer.echo(name_flags(note))


@contextmanager
def _resumable() -> Iterator[None]:
    """Exit with status 130 on Ctrl-C; finished records are kept."""
    try:
        yield
    except KeyboardInterrupt:
        print_problem("interrupted; run the same command to resume")
        raise typer.Exit(130) from None


def _progress(quiet: bool) -> "ProgressCallback":
    from tiepoint.io.progress import no_progress, progress_bar

    return no_progress if quiet else progress_bar
