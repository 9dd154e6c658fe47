"""`tiepoint export PRESET -o BUNDLE --to RUNTIME`."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import (
    ExtractorWeightsOption,
    LicenseOption,
    MatcherWeightsOption,
    QuietOption,
    ResizeOption,
    set_up_logging,
    weights_options,
)
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.types.options import LoadOptions


class TargetKind(StrEnum):
    """Runtimes."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    OPENCV = "opencv"


class FormKind(StrEnum):
    """Forms of the matcher."""

    ADAPTIVE = "adaptive"
    SINGLE = "single"
    BOTH = "both"


class PrecisionKind(StrEnum):
    """Floating-point types of the weights."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


def export(
    preset: Annotated[str, typer.Argument(help="Preset, or the folder of a trained model.")] = DEFAULT_PRESET,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="BUNDLE", help="Folder of the bundle.")
    ] = "bundle",
    to: Annotated[TargetKind, typer.Option(help="Runtime of the graphs.")] = TargetKind.ONNX,
    form: Annotated[
        FormKind,
        typer.Option(help="Form of the matcher: graphs per layer for an adaptive loop, one graph, or both."),
    ] = FormKind.BOTH,
    image_size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="The only image size in px of the extractor.", show_default="any"),
    ] = None,
    max_keypoints: Annotated[
        int | None,
        typer.Option(min=1, help="Fixed maximum number of keypoints per image.", show_default="an input"),
    ] = None,
    precision: Annotated[PrecisionKind, typer.Option(help="Type of the weights.")] = PrecisionKind.FLOAT32,
    portable: Annotated[
        bool, typer.Option("--portable", help="Use standard operators only, which all runtimes have.")
    ] = False,
    image: Annotated[
        list[str] | None,
        typer.Option(
            help="Image of the parity report; give two or more.",
            show_default="the sample pair of scikit-image",
        ),
    ] = None,
    resize: ResizeOption = 1024,
    threshold: Annotated[float, typer.Option(min=-1.0, max=1.0, help="Minimum match score.")] = 0.1,
    matcher_weights: MatcherWeightsOption = None,
    extractor_weights: ExtractorWeightsOption = None,
    accept_license: LicenseOption = False,
    quiet: QuietOption = False,
) -> None:
    """Export a preset as a bundle that runs without PyTorch, and measure that it finds the same matches.

    Example: tiepoint export fast -o bundle --to onnx
    """
    set_up_logging(quiet=quiet)
    size = _parse_size(image_size)
    from tiepoint.exporting.bundle import export_bundle
    from tiepoint.exporting.options import ExportOptions

    options = ExportOptions(
        target=to.value,
        form=form.value,
        image_size=size,
        max_keypoints=max_keypoints,
        precision=precision.value,
        portable=portable,
    )
    load: "LoadOptions" = {
        "resize": resize or None,
        "filter_threshold": threshold,
        "accept_license": accept_license,
        "progress": not quiet,
        **weights_options(matcher_weights, extractor_weights),
    }
    report = export_bundle(preset, output, options, images=image or (), **load)
    if not quiet:
        typer.echo(
            f"{output}: {report.differing_per_10000:.1f} of 10,000 decisions differ from the package's in "
            f"{report.runtime}, scores by up to {report.max_score_difference:.1e}; see parity.json"
        )


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f"expected WIDTHxHEIGHT in px, got {text!r}", param_hint="--image-size")
    return int(width), int(height)
