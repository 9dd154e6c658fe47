"""Arguments and options that several commands share."""

from enum import StrEnum
from typing import Annotated, Literal

import typer


class VerifyKind(StrEnum):
    """Geometric models that matches are verified with."""

    HOMOGRAPHY = "homography"
    FUNDAMENTAL = "fundamental"
    POSE = "pose"


class Rotations(StrEnum):
    """When image 1 is turned by quarter turns."""

    NONE = "none"
    AUTO = "auto"

    @property
    def option(self) -> Literal["auto"] | None:
        """As `tiepoint.load` takes it."""
        return "auto" if self is Rotations.AUTO else None


NO_MATCH = 3
"""Exit code of `--fail-on-no-match`."""

ImageArgument = Annotated[str, typer.Argument(help="Photograph: a file or a URL.", show_default=False)]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="Write everything as JSON; - is standard output."),
]
PresetOption = Annotated[str, typer.Option(help="Extractor and matcher; see `tiepoint presets`.")]
MaxKeypointsOption = Annotated[int, typer.Option(min=1, help="Keypoints an image.")]
ResizeOption = Annotated[
    int, typer.Option(min=0, help="Longer side in px of what the extractor sees; 0: as the file is.")
]
RotationsOption = Annotated[
    Rotations,
    typer.Option(help="auto: try image 1 in quarter turns where the images don't match as they are."),
]
ThresholdOption = Annotated[float, typer.Option(min=-1.0, max=1.0, help="A match has a score above this.")]
MaskOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Keypoints only where this picture isn't black, or in its .json polygons."
    ),
]
MaxErrorOption = Annotated[
    float, typer.Option(min=0.01, help="Largest error of a match that fits, in px of the photographs.")
]
IntrinsicsOption = Annotated[
    str | None,
    typer.Option(
        metavar="K.txt|f,cx,cy",
        help="Of both cameras, in px: a text file or numbers. Without: from EXIF data, else a guess.",
        show_default=False,
    ),
]
MaxLinesOption = Annotated[int, typer.Option(min=1, help="Lines in the picture, the strongest first.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="Threads of torch; by default torch's own number.")
]
LicenseOption = Annotated[
    bool, typer.Option("--accept-license", help="Consent to weights that aren't free for commercial use.")
]
FailOption = Annotated[
    bool,
    typer.Option(
        "--fail-on-no-match", help="Exit with 3 where the photographs seem to show different places."
    ),
]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")]


def use_threads(count: int | None) -> None:
    """Let torch compute with this many threads in this process; None: as it is."""
    if count is not None:
        import torch

        torch.set_num_threads(count)


def set_up_logging(*, quiet: bool) -> None:
    """Warnings of the library go to stderr, as lines of the command; with `quiet` only errors."""
    import logging

    logging.basicConfig(level=logging.ERROR if quiet else logging.WARNING, format="tiepoint: %(message)s")
