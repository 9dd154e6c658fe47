"""Arguments and options that several commands share."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.types.options import LoadOptions, Stretch

# Exit status of `--fail-on-no-match`
NO_MATCH = 3


class VerifyKind(StrEnum):
    """Geometric models for the verification of matches."""

    HOMOGRAPHY = "homography"
    FUNDAMENTAL = "fundamental"
    POSE = "pose"


class Rotations(StrEnum):
    """In-plane rotation search."""

    NONE = "none"
    AUTO = "auto"


ImageArgument = Annotated[str, typer.Argument(help="Image file or URL.", show_default=False)]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="Write the result as JSON; - is standard output."),
]
PresetOption = Annotated[
    str,
    typer.Option(help="Extractor and matcher (see `tiepoint presets`), or the folder of a trained model."),
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
        help="Stretch the contrast of images: clip this percentage of values at each end; auto stretches only images "
        "with more than 8 bits that need it.",
    ),
]
RotationsOption = Annotated[
    Rotations,
    typer.Option(help="In-plane rotation search: auto tries 90-degree rotations if upright matching fails."),
]
ThresholdOption = Annotated[float, typer.Option(min=-1.0, max=1.0, help="Minimum match score.")]
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
DeviceOption = Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:1 or mps.")]
ThreadsOption = Annotated[
    int | None,
    typer.Option(min=1, help="Number of CPU threads.", show_default="PyTorch's"),
]
LicenseOption = Annotated[
    bool, typer.Option("--accept-license", help="Accept weights whose license forbids commercial use.")
]
FailOption = Annotated[
    bool,
    typer.Option("--fail-on-no-match", help="Exit with status 3 if the images do not show the same scene."),
]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherOptions:
    """Values of the options that every command with a matcher has.

    Attributes:
        preset: Name of a preset, or folder of a trained model.
        load: Keyword options of `tiepoint.load`.
        quiet: Whether to print errors only.
    """

    preset: str
    load: "LoadOptions"
    quiet: bool


def matcher_options(
    *, max_keypoints: int = 2048, resize: int = 1024, rotations: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of `_read_matcher_options` to a command, which receives them as `matcher: MatcherOptions`.

    Args:
        max_keypoints: Default of `--max-keypoints`.
        resize: Default of `--resize`.
        rotations: Whether the command has the option `--rotations`.
    """
    shared = dict(inspect.signature(_read_matcher_options).parameters)
    for name, default in (("max_keypoints", max_keypoints), ("resize", resize)):
        shared[name] = shared[name].replace(default=default)
    if not rotations:
        del shared["rotations"]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = dict(inspect.signature(command).parameters)
        del own["matcher"]

        def run(**values: Any) -> None:
            chosen = {name: values.pop(name) for name in shared}
            command(**values, matcher=_read_matcher_options(**chosen))

        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__module__ = command.__module__
        parameters = (own | shared).values()
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__signature__ = inspect.Signature(list(parameters))  # type: ignore[attr-defined]
        return run

    return decorate


def _read_matcher_options(
    *,
    preset: PresetOption = DEFAULT_PRESET,
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    upscale: UpscaleOption = None,
    stretch: StretchOption = "none",
    rotations: RotationsOption = Rotations.NONE,
    threshold: ThresholdOption = 0.1,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
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
        "filter_threshold": threshold,
        "device": device,
        "accept_license": accept_license,
        "progress": not quiet,
    }
    if upscale is not None:
        load["upscale"] = upscale
    if rotations is Rotations.AUTO:
        load["rotations"] = "auto"
    return MatcherOptions(preset=preset, load=load, quiet=quiet)


def parse_stretch(text: str) -> "Stretch":
    """Parse the value of `--stretch`."""
    if text == "none":
        return None
    try:
        return "auto" if text == "auto" else float(text)
    except ValueError as error:
        message = f"expected auto, none, or a percentage, got {text!r}"
        raise typer.BadParameter(message, param_hint="--stretch") from error


def use_threads(count: int | None) -> None:
    """Set the number of PyTorch CPU threads of this process; None keeps it."""
    if count is not None:
        import torch

        torch.set_num_threads(count)


def set_up_logging(*, quiet: bool) -> None:
    """Print warnings of the library on stderr; with `quiet` only errors."""
    import logging

    from tiepoint.cli.flags import FlagFormatter

    handler = logging.StreamHandler()
    handler.setFormatter(FlagFormatter("%(message)s"))
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # errors of the library say it in their own words
    logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, handlers=[handler])
