"""`tiepoint stitch A B`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import (
    NO_MATCH,
    DeviceOption,
    FailOption,
    ImageArgument,
    JsonOption,
    LicenseOption,
    MaxErrorOption,
    MaxKeypointsOption,
    PresetOption,
    QuietOption,
    ResizeOption,
    Rotations,
    RotationsOption,
    ThreadsOption,
    ThresholdOption,
    set_up_logging,
    use_threads,
)
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.result import MatchResult
    from tiepoint.types import TwoViewEstimate


class Mode(StrEnum):
    """How an overlay shows two images."""

    BLEND = "blend"
    CHECKERBOARD = "checkerboard"


def stitch(
    image0: ImageArgument,
    image1: ImageArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where to write both photographs on one canvas.")
    ] = Path("panorama.jpg"),
    overlay: Annotated[
        Path | None, typer.Option(help="Also write photograph 0 warped onto photograph 1.")
    ] = None,
    mode: Annotated[Mode, typer.Option(help="What the overlay looks like.")] = Mode.BLEND,
    json_file: JsonOption = None,
    max_error_px: MaxErrorOption = 3.0,
    preset: PresetOption = DEFAULT_PRESET,
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    rotations: RotationsOption = Rotations.NONE,
    threshold: ThresholdOption = 0.1,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    fail_on_no_match: FailOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put two photographs of one plane, or from one place, onto one canvas; the second one stays as it is.

    Example: tiepoint stitch a.jpg b.jpg -o panorama.jpg --overlay overlay.png --mode checkerboard
    """
    from tiepoint.stitching.panorama import stitch_to_files

    set_up_logging(quiet=quiet)
    use_threads(threads)
    to_stdout = json_file == "-"

    def tell(result: "MatchResult", estimate: "TwoViewEstimate") -> None:
        if not quiet:
            _print_summary(result, estimate, to_stderr=to_stdout)
        if to_stdout:
            typer.echo(json.dumps(result.to_dict(estimate, result.verify())))

    result, _ = stitch_to_files(
        image0,
        image1,
        output,
        overlay=overlay,
        mode=mode.value,
        max_error_px=max_error_px,
        only_same_scene=fail_on_no_match,
        on_match=tell,
        json=None if to_stdout else json_file,
        preset=preset,
        max_keypoints=max_keypoints,
        resize=resize or None,
        rotations=rotations.option,
        filter_threshold=threshold,
        device=device,
        accept_license=accept_license,
        progress=not quiet,
    )
    if fail_on_no_match and not result.verify().same_scene:
        raise typer.Exit(NO_MATCH)
    if not quiet:
        typer.echo(f"panorama: {output}", err=to_stdout)
    if overlay is not None and not quiet:
        typer.echo(f"overlay: {overlay}", err=to_stdout)


def _print_summary(result: "MatchResult", estimate: "TwoViewEstimate", *, to_stderr: bool) -> None:
    from tiepoint.cli.summaries import (
        print_images,
        summarize_estimate,
        summarize_matches,
        summarize_verification,
    )

    print_images(result, to_stderr=to_stderr)
    lines = [summarize_matches(result), summarize_verification(result), *summarize_estimate(result, estimate)]
    typer.echo("\n" + "\n".join(lines), err=to_stderr)
