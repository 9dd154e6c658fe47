"""Arguments and options that several commands share."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiepoint.cli.clock import COMMAND_START
from tiepoint.cli.completion import DEVICES, complete_from, complete_preset
from tiepoint.io.progress import no_progress, stage_line
from tiepoint.io.stages import Stages
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.types.options import LoadOptions, NetworkOptions, Prescreen, Stretch

# Format of log messages with -vv
DEBUG_FORMAT = "%(relativeCreated)d ms, %(name)s: %(message)s"

# Exit status of `--fail-on-no-match`
NO_MATCH = 3


class VerifyKind(StrEnum):
    """Geometric models for the verification of matches."""

    SIMILARITY = "similarity"
    AFFINE = "affine"
    HOMOGRAPHY = "homography"
    ALIGNMENT = "alignment"
    FUNDAMENTAL = "fundamental"
    POSE = "pose"


class Views(StrEnum):
    """Searches over views."""

    NONE = "none"
    ROTATION = "rotation"
    SCALE = "scale"
    VIEWPOINT = "viewpoint"
    AUTO = "auto"


ImageArgument = Annotated[str, typer.Argument(help="Image file or URL.", show_default=False)]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="Write the result as JSON; - is standard output."),
]
PresetOption = Annotated[
    str,
    typer.Option(
        help="Extractor and matcher (see `tiepoint presets`), or the folder of a trained model.",
        autocompletion=complete_preset,
    ),
]
MaxKeypointsOption = Annotated[int, typer.Option(min=1, help="Maximum number of keypoints per image.")]
ResizeOption = Annotated[
    int, typer.Option(min=0, help="Resize the longer image side to this many px; 0 keeps the size.")
]
UpscaleOption = Annotated[
    bool | None,
    typer.Option(
        "--upscale/--no-upscale",
        help="Enlarge images that are smaller than --resize.",
        show_default="the preset's choice",
    ),
]
StretchOption = Annotated[
    str,
    typer.Option(
        metavar="auto|PERCENT|none",
        autocompletion=complete_from("auto", "none"),
        help="Stretch the contrast of images: clip this percentage of values at each end; auto stretches only images "
        "with more than 8 bits that need it.",
    ),
]
ViewsOption = Annotated[
    Views | None,
    typer.Option(
        help="Search over views if the images do not match as they are: rotation rotates both in the plane, scale finds "
        "one as a part of the other, viewpoint simulates tilts, auto tries all in turn.",
        show_default="rotation; none with --latency-budget-ms",
    ),
]
ThresholdOption = Annotated[
    float | None, typer.Option(min=-1.0, max=1.0, help="Minimum match score.", show_default="0.1")
]
MinPrecisionOption = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Minimum precision of the matches of overlapping images, instead of --threshold: the preset's calibrated score.",
        show_default="no calibration",
    ),
]
AdaptiveOption = Annotated[
    bool | None,
    typer.Option(
        "--adaptive/--no-adaptive",
        help="Adaptive depth and width: early stopping and pruning of unmatchable keypoints.",
        show_default="adaptive",
    ),
]
MaxLayersOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Maximum number of LightGlue's layers to run.", show_default="all layers of the network"
    ),
]
LatencyBudgetOption = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        metavar="MS",
        help="Bound on the time per pair, from decoded images to matches: keypoints and layers are cut to fit.",
        show_default="no limit",
    ),
]
MaskOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Mask image (keypoints only where it is not black), or .json file with polygons.",
    ),
]
MaxErrorOption = Annotated[
    float, typer.Option(min=0.01, help="Inlier threshold in px of the original images.")
]
IntrinsicsOption = Annotated[
    str | None,
    typer.Option(
        metavar="K.txt|f,cx,cy",
        help="Intrinsics of both cameras in px: text file or numbers.",
        show_default="EXIF focal length, else a default prior",
    ),
]
MaxLinesOption = Annotated[
    int,
    typer.Option(min=1, help="Maximum number of lines to draw, spread over the image; all points are drawn."),
]
DeviceOption = Annotated[
    str,
    typer.Option(help="Device: auto, cpu, cuda, cuda:1 or mps.", autocompletion=complete_from(*DEVICES)),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(min=1, help="Number of CPU threads.", show_default="PyTorch's"),
]
LicenseOption = Annotated[
    bool, typer.Option("--accept-license", help="Accept weights whose license forbids commercial use.")
]
MatcherWeightsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="LightGlue checkpoint of any family, folder of a training, or name (tiepoint weights list).",
        show_default="the preset's",
    ),
]
ExtractorWeightsOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Weights of the preset's extractor; repeat it for an extractor of several files.",
        show_default="the preset's",
    ),
]
FailOption = Annotated[
    bool,
    typer.Option("--fail-on-no-match", help="Exit with status 3 if the images do not show the same scene."),
]


def is_quiet(context: Any, value: bool) -> bool:
    """Return whether -q was given to the command, or before its name."""
    return value or bool(context.find_root().params.get("quiet"))


QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.", callback=is_quiet)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherOptions:
    """Values of the options that every command with a matcher has.

    Attributes:
        preset: Name of a preset, or folder of a trained model.
        load: Keyword options of `tiepoint.load`.
        quiet: Whether to print errors only.
        stages: Timer of the stages since the command was started; shows them on a terminal.
    """

    preset: str
    load: "LoadOptions"
    quiet: bool
    stages: Stages

    def import_torch(self) -> None:
        """Import PyTorch and what is built on it in a stage of its own."""
        import_torch(self.stages)


def matcher_options(
    *, max_keypoints: int = 2048, resize: int = 1024, stretch: str = "none", views: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of `_read_matcher_options` to a command, which receives them as `matcher: MatcherOptions`.

    Args:
        max_keypoints: Default of `--max-keypoints`.
        resize: Default of `--resize`.
        stretch: Default of `--stretch`.
        views: Whether the command has the option `--views`.
    """
    shared = dict(inspect.signature(_read_matcher_options).parameters)
    del shared["stages"]
    for name, default in (("max_keypoints", max_keypoints), ("resize", resize), ("stretch", stretch)):
        shared[name] = shared[name].replace(default=default)
    if not views:
        del shared["views"]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = dict(inspect.signature(command).parameters)
        del own["matcher"]

        def run(**values: Any) -> None:
            chosen = {name: values.pop(name) for name in shared}
            stages = start_stages(quiet=chosen["quiet"])
            command(**values, matcher=_read_matcher_options(stages, **chosen))

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__module__ = command.__module__
        parameters = (own | shared).values()
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__signature__ = inspect.Signature(list(parameters))  # type: ignore[attr-defined]
        return run

    return decorate


def start_stages(*, quiet: bool) -> Stages:
    """Return the timer of a command, from the start of the process on; stages are shown on a terminal.

    Args:
        quiet: Whether to show nothing.
    """
    stages = Stages(no_progress if quiet else stage_line, start=COMMAND_START.get())
    stages.finish("start")
    return stages


def import_torch(stages: Stages) -> None:
    """Import PyTorch and what is built on it, which takes seconds, in a stage of its own."""
    with stages("load_torch"):
        import tiepoint.api  # noqa: F401


def _read_matcher_options(
    stages: Stages,
    *,
    preset: PresetOption = DEFAULT_PRESET,
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    upscale: UpscaleOption = None,
    stretch: StretchOption = "none",
    views: ViewsOption = None,
    threshold: ThresholdOption = None,
    min_precision: MinPrecisionOption = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    matcher_weights: MatcherWeightsOption = None,
    extractor_weights: ExtractorWeightsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> MatcherOptions:
    """Collect the options of `tiepoint.load`; set up logging and threads."""
    set_up_logging(quiet=quiet)
    use_threads(threads)
    load: LoadOptions = {
        "max_keypoints": max_keypoints,
        "resize": resize or None,
        "stretch": parse_stretch(stretch),
        **score_options(threshold, min_precision),
        "device": device,
        "accept_license": accept_license,
        "progress": not quiet,
        **weights_options(matcher_weights, extractor_weights),
    }
    if upscale is not None:
        load["upscale"] = upscale
    if views is not None:
        load["views"] = None if views is Views.NONE else views.value
    return MatcherOptions(preset=preset, load=load, quiet=quiet, stages=stages)


def weights_options(matcher_weights: str | None, extractor_weights: list[str] | None) -> "NetworkOptions":
    """Return the options of `tiepoint.load` for `--matcher-weights` and `--extractor-weights`; the preset's are left out."""
    options: NetworkOptions = {}
    if matcher_weights is not None:
        options["matcher_weights"] = matcher_weights
    if extractor_weights:
        options["extractor_weights"] = extractor_weights
    return options


def score_options(threshold: float | None, min_precision: float | None) -> "NetworkOptions":
    """Return the options of `tiepoint.load` for `--threshold` and `--min-precision`; the defaults are left out."""
    options: NetworkOptions = {}
    if threshold is not None:
        options["filter_threshold"] = threshold
    if min_precision is not None:
        options["min_precision"] = min_precision
    return options


def parse_stretch(text: str) -> "Stretch":
    """Parse the value of `--stretch`."""
    if text == "none":
        return None
    try:
        return "auto" if text == "auto" else float(text)
    except ValueError as error:
        message = f"expected auto, none, or a percentage, got {text!r}"
        raise typer.BadParameter(message, param_hint="--stretch") from error


def parse_prescreen(text: str) -> "Prescreen":
    """Parse the value of `--prescreen`."""
    if text == "off":
        return None
    try:
        return "auto" if text == "auto" else float(text)
    except ValueError as error:
        message = f"expected auto, off, or a probability, got {text!r}"
        raise typer.BadParameter(message, param_hint="--prescreen") from error


def use_threads(count: int | None) -> None:
    """Set the number of PyTorch CPU threads of this process; None keeps it."""
    if count is not None:
        import torch

        torch.set_num_threads(count)


def set_up_logging(*, quiet: bool = False, verbose: int = 0) -> None:
    """Print log messages of the library on stderr.

    Args:
        quiet: Whether to print errors only; otherwise also warnings.
        verbose: 1 prints what the library does (INFO), 2 or more also details with times and modules (DEBUG).
    """
    import logging

    from tiepoint.cli.flags import FlagFormatter

    handler = logging.StreamHandler()
    handler.setFormatter(FlagFormatter(DEBUG_FORMAT if verbose > 1 else "%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])  # without effect the second time
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # errors of the library say it in their own words
    if quiet:
        logging.getLogger().setLevel(logging.ERROR)
    if quiet or verbose:
        level = logging.ERROR if quiet else (logging.INFO, logging.DEBUG)[min(verbose, 2) - 1]
        logging.getLogger("tiepoint").setLevel(level)
