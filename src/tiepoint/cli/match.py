"""`tiepoint match A B`."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from tiepoint.cli.completion import complete_from
from tiepoint.cli.options import (
    NO_MATCH,
    AdaptiveOption,
    FailOption,
    ImageArgument,
    IntrinsicsOption,
    JsonOption,
    LatencyBudgetOption,
    MaskOption,
    MatcherOptions,
    MaxErrorOption,
    MaxLayersOption,
    MaxLinesOption,
    VerifyKind,
    matcher_options,
)
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX


@matcher_options()
def match(
    image0: ImageArgument,
    image1: ImageArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Draw the matches to this file (.png, .jpg, .webp), or write an interactive page (.html).",
        ),
    ] = None,
    json_file: JsonOption = None,
    npz: Annotated[Path | None, typer.Option("--npz", help="Write the result as NumPy arrays.")] = None,
    mask0: MaskOption = None,
    mask1: MaskOption = None,
    border: Annotated[
        int, typer.Option(min=0, help="Ignore keypoints within this many px of the image border.")
    ] = 0,
    tile: Annotated[
        str,
        typer.Option(
            metavar="auto|PX",
            help="Process images larger than this in tiles (px); 0 disables tiling.",
            autocompletion=complete_from("auto", "0"),
        ),
    ] = "auto",
    adaptive: AdaptiveOption = None,
    pruning_min_keypoints: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Prune only images with more keypoints than this; see `tiepoint bench --tune`.",
            show_default=False,
        ),
    ] = None,
    max_layers: MaxLayersOption = None,
    latency_budget_ms: LatencyBudgetOption = None,
    verify: Annotated[
        VerifyKind | None,
        typer.Option(help="Estimate a geometric model; the drawing distinguishes inliers and outliers."),
    ] = None,
    intrinsics: IntrinsicsOption = None,
    max_error_px: MaxErrorOption = TWO_VIEW_MAX_ERROR_PX,
    max_lines: MaxLinesOption = 60,
    keypoints: Annotated[bool, typer.Option("--keypoints", help="Draw unmatched keypoints, too.")] = False,
    fail_on_no_match: FailOption = False,
    *,
    matcher: MatcherOptions,
) -> None:
    """Find matching points (tie points) of two images.

    Example: tiepoint match a.jpg b.jpg -o matches.png --json matches.json --verify homography
    """
    if intrinsics is not None and verify is not VerifyKind.POSE:
        raise typer.BadParameter("--intrinsics requires --verify pose")
    load = matcher.load | {"border": border, "tile": _parse_tile(tile)}
    if adaptive is not None:
        load["adaptive"] = adaptive
    if pruning_min_keypoints is not None:
        load["pruning_min_keypoints"] = pruning_min_keypoints
    if max_layers is not None:
        load["max_layers"] = max_layers
    if latency_budget_ms is not None:
        load["latency_budget_ms"] = latency_budget_ms
    to_stdout = json_file == "-"
    matcher.import_torch()
    from tiepoint.api import match_to_files
    from tiepoint.cli.summaries import print_summary
    from tiepoint.geometry.verification import make_verifier

    result, estimate = match_to_files(
        image0,
        image1,
        picture=output,
        json=None if to_stdout else json_file,
        npz=npz,
        draw={"max_lines": max_lines, "keypoints": keypoints},
        verify=make_verifier(verify, max_error_px=max_error_px, intrinsics=intrinsics) if verify else None,
        stages=matcher.stages,
        preset=matcher.preset,
        mask0=mask0,
        mask1=mask1,
        **load,
    )
    result = result.with_seconds(matcher.stages.with_total())
    if not matcher.quiet:
        drawing = f"drawing: {output}" if output else "to draw the matches, add: -o matches.png"
        print_summary(result, estimate, drawing, to_stderr=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(result.to_dict(estimate, result.verify())))
    if fail_on_no_match and not result.verify().same_scene:
        raise typer.Exit(NO_MATCH)


def _parse_tile(text: str) -> int | Literal["auto"] | None:
    if text == "auto":
        return "auto"
    if not text.isdecimal():
        raise typer.BadParameter(f"expected auto or an integer (px), got {text!r}", param_hint="--tile")
    return int(text) or None
