"""`tiepoint register MOVING FIXED`, and `tiepoint register *.tif --to FIXED`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import JsonOption, MatcherOptions, matcher_options

if TYPE_CHECKING:
    from tiepoint.registration.alignment import Alignment, AlignSettings
    from tiepoint.registration.register import WarpSettings


class Model(StrEnum):
    """Models that map the moving image to the fixed one."""

    AUTO = "auto"
    SIMILARITY = "similarity"
    AFFINE = "affine"
    HOMOGRAPHY = "homography"


class Interpolation(StrEnum):
    """Interpolation between pixels."""

    NEAREST = "nearest"
    LINEAR = "linear"
    CUBIC = "cubic"


@matcher_options(stretch="auto")
def register(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="MOVING... [FIXED]",
            help="Image that is warped, and the image that defines the pixel grid; with --to, images that are warped.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Output file, or folder with --to.",
            show_default="aligned.tif, or aligned with --to",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FIXED", help="Register all images to this one; existing outputs are skipped."
        ),
    ] = None,
    model: Annotated[
        Model, typer.Option(help="Model; auto chooses the simplest that explains the matches.")
    ] = Model.AUTO,
    piecewise: Annotated[
        bool,
        typer.Option(
            "--piecewise",
            help="Add a smooth deformation (thin-plate spline) where it fits held-out matches better than the model.",
        ),
    ] = False,
    interpolation: Annotated[
        Interpolation, typer.Option(help="Interpolation between pixels.")
    ] = Interpolation.CUBIC,
    nodata: Annotated[
        float | None,
        typer.Option(
            help="Value where the moving image shows nothing.",
            show_default="alpha channel; NaN for floating point; 0 for other types and JPEG",
        ),
    ] = None,
    bands: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B", help="Bands that are matched, the first is 1.", show_default="1,2,3 or 1"
        ),
    ] = None,
    fixed_bands: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B",
            help="Bands of the fixed image that are matched.",
            show_default="those of --bands",
        ),
    ] = None,
    mask_output: Annotated[
        Path | None, typer.Option(help="Also write a mask: white where the moving image is known.")
    ] = None,
    control_points: Annotated[
        Path | None,
        typer.Option(help="Also write matches with residuals: .csv, or .points for QGIS's georeferencer."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page with matches and a swipe overlay.")
    ] = None,
    json_file: JsonOption = None,
    max_error_px: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Inlier threshold in px of the fixed image.",
            show_default="3, or 1.5 px of the resized image if that is more",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Write the image even if the images seem to show different scenes."),
    ] = False,
    *,
    matcher: MatcherOptions,
) -> None:
    """Register an image to another: resample it onto the other's pixel grid, with its own bit depth and bands.

    Example: tiepoint register thermal.tif visible.tif -o aligned.tif --html swipe.html
    """
    if to is None and len(images) != 2:
        raise typer.BadParameter(
            f"expected MOVING and FIXED, got {len(images)} images; use --to FIXED for many"
        )
    if to is not None and any(path is not None for path in (mask_output, control_points, html, json_file)):
        raise typer.BadParameter(
            "--mask-output, --control-points, --html and --json need one moving image, without --to"
        )
    matcher.import_torch()
    from tiepoint.registration.alignment import AlignSettings
    from tiepoint.registration.register import WarpSettings

    align = AlignSettings(
        model=model.value,
        piecewise=piecewise,
        max_error_px=max_error_px,
        bands=_parse_bands(bands, "--bands"),
        fixed_bands=_parse_bands(fixed_bands, "--fixed-bands"),
    )
    warp = WarpSettings(interpolation=interpolation.value, nodata=nodata, force=force)
    if to is not None:
        _register_many(images, to, output or Path("aligned"), align, warp, matcher)
        return
    from tiepoint.registration.register import Extras, register as register_pair

    to_file = None if json_file in (None, "-") else Path(json_file)
    extras = Extras(mask=mask_output, control_points=control_points, html=html, json=to_file)
    output = output or Path("aligned.tif")
    moving, fixed = images
    alignment = register_pair(
        moving,
        fixed,
        output,
        align_settings=align,
        warp_settings=warp,
        extras=extras,
        stages=matcher.stages,
        preset=matcher.preset,
        **matcher.load,
    )
    _report(
        alignment,
        output,
        extras.mask,
        extras.control_points,
        extras.html,
        json_file=json_file,
        matcher=matcher,
    )


def _register_many(
    images: list[Path],
    fixed: Path,
    folder: Path,
    align: "AlignSettings",
    warp: "WarpSettings",
    matcher: MatcherOptions,
) -> None:
    from tiepoint.registration.register import register_many

    failures = 0
    for path, found in register_many(
        images, fixed, folder, align_settings=align, warp_settings=warp, preset=matcher.preset, **matcher.load
    ):
        failures += found.output is None
        if found.reason:
            typer.echo(found.reason, err=True)
        elif not matcher.quiet:
            text = "exists, skipped" if found.alignment is None else _summary(found.alignment)
            typer.echo(f"{path}: {text}")
    if failures:
        typer.echo(f"{failures} of {len(images)} images were not registered", err=True)
        raise typer.Exit(1)


def _report(
    alignment: "Alignment", *outputs: Path | None, json_file: str | None, matcher: MatcherOptions
) -> None:
    to_stdout = json_file == "-"
    if to_stdout:
        values = alignment.to_dict() | {"output": str(outputs[0]), "seconds": matcher.stages.with_total()}
        typer.echo(json.dumps(values))
    if matcher.quiet:
        return
    from tiepoint.cli.summaries import summarize_seconds

    typer.echo(_summary(alignment), err=to_stdout)
    typer.echo(summarize_seconds(matcher.stages.with_total()), err=to_stdout)
    for path in outputs:
        if path is not None:
            typer.echo(str(path), err=to_stdout)


def _summary(alignment: "Alignment") -> str:
    estimate = alignment.estimate
    lines = [
        f"{estimate.kind}: {estimate.num_inliers} of {len(alignment.matches)} matches are inliers "
        f"(threshold {estimate.max_error_px:.3g} px), RMS residual {alignment.rms_px:.2f} px"
    ]
    if alignment.deformation is not None:
        deformation = alignment.deformation
        lines.append(
            f"deformation: {deformation.is_control_point.sum()} control points, RMS error of held-out ones "
            f"{deformation.held_out_rms_px:.2f} px, without the deformation {deformation.model_rms_px:.2f} px"
        )
    if alignment.reason_not_deformed:
        lines.append(f"no deformation: {alignment.reason_not_deformed}")
    return "\n".join(lines)


def _parse_bands(text: str | None, flag: str) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers such as 4,3,2, got {text!r}", param_hint=flag) from error
