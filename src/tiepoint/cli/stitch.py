"""`tiepoint stitch A B`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tiepoint.cli.options import (
    DeviceOption,
    ImageArgument,
    JsonOption,
    LicenseOption,
    MaxErrorOption,
    MaxKeypointsOption,
    PresetOption,
    QuietOption,
    ResizeOption,
    ThreadsOption,
    ThresholdOption,
    set_up_logging,
    use_threads,
)
from tiepoint.presets import DEFAULT_PRESET


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
    threshold: ThresholdOption = 0.1,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put two photographs of one plane, or from one place, onto one canvas; the second one stays as it is.

    Example: tiepoint stitch a.jpg b.jpg -o panorama.jpg --overlay overlay.png --mode checkerboard
    """
    from tiepoint.cli.summaries import print_images, summarize_estimate, summarize_matches
    from tiepoint.stitching import stitch_to_files

    set_up_logging(quiet=quiet)
    use_threads(threads)
    to_stdout = json_file == "-"
    result, estimate = stitch_to_files(
        image0,
        image1,
        output,
        overlay=overlay,
        mode=mode.value,
        max_error_px=max_error_px,
        json=None if to_stdout else json_file,
        preset=preset,
        max_keypoints=max_keypoints,
        resize=resize or None,
        filter_threshold=threshold,
        device=device,
        accept_license=accept_license,
        progress=not quiet,
    )
    if not quiet:
        print_images(result, to_stderr=to_stdout)
        lines = [summarize_matches(result), *summarize_estimate(result, estimate), f"panorama: {output}"]
        lines += [] if overlay is None else [f"overlay: {overlay}"]
        typer.echo("\n" + "\n".join(lines), err=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(result.to_dict(estimate)))
