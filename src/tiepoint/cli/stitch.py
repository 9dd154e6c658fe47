"""`tiepoint stitch A B …`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.flags import print_problem
from tiepoint.cli.options import NO_MATCH, FailOption, JsonOption, MatcherOptions, matcher_options

if TYPE_CHECKING:
    from tiepoint.stitching.match_graph import MatchGraph
    from tiepoint.stitching.result import Panorama


class Mode(StrEnum):
    """Overlay modes."""

    BLEND = "blend"
    CHECKERBOARD = "checkerboard"


class Projection(StrEnum):
    """Surfaces of panoramas."""

    AUTO = "auto"
    PLANE = "plane"
    CYLINDER = "cylinder"
    SPHERE = "sphere"


class Model(StrEnum):
    """Models of the cameras."""

    AUTO = "auto"
    ROTATION = "rotation"
    HOMOGRAPHY = "homography"


@matcher_options()
def stitch(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE", help="Image files or URLs, in any order.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Output file of the panorama.")] = Path(
        "panorama.png"
    ),
    projection: Annotated[
        Projection, typer.Option(help="Surface of the panorama; auto chooses by the field of view.")
    ] = Projection.AUTO,
    model: Annotated[
        Model, typer.Option(help="rotation: from one viewpoint; homography: of a plane; auto compares both.")
    ] = Model.AUTO,
    crop: Annotated[
        bool, typer.Option("--crop", help="Crop to the largest rectangle without transparent pixels.")
    ] = False,
    exposure: Annotated[
        bool, typer.Option("--exposure/--no-exposure", help="Compensate differences in exposure.")
    ] = True,
    max_output_megapixels: Annotated[
        float, typer.Option(min=0.01, help="Maximum size of the panorama; a larger one is reduced.")
    ] = 200.0,
    overlay: Annotated[
        Path | None, typer.Option(help="Also write image 0 warped onto image 1, for two images.")
    ] = None,
    mode: Annotated[Mode, typer.Option(help="Overlay mode.")] = Mode.BLEND,
    json_file: JsonOption = None,
    max_error_px: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Inlier threshold in px of the original images.",
            show_default="3, or 1.5 px of the resized images if that is more",
        ),
    ] = None,
    fail_on_no_match: FailOption = False,
    *,
    matcher: MatcherOptions,
) -> None:
    """Stitch overlapping images, from one viewpoint or of a plane, into a panorama.

    Example: tiepoint stitch a.jpg b.jpg c.jpg -o panorama.png --crop
    """
    if overlay is not None and len(images) != 2:
        raise typer.BadParameter(f"--overlay needs two images, got {len(images)}")
    matcher.import_torch()
    from tiepoint.stitching import panorama as module
    from tiepoint.stitching.result import StitchingFailed, stitching_to_dict
    from tiepoint.stitching.settings import StitchSettings

    settings = StitchSettings(
        projection=projection.value,
        model=model.value,
        crop=crop,
        exposure=exposure,
        max_error_px=max_error_px,
        max_output_megapixels=max_output_megapixels,
    )
    to_stdout = json_file == "-"
    graphs: list[MatchGraph] = []

    def on_match(graph: "MatchGraph") -> None:
        graphs.append(graph)
        if not matcher.quiet:
            _print_matches(graph, to_stderr=to_stdout)

    try:
        panorama = module.stitch(
            images,
            output,
            settings=settings,
            json=None if to_stdout else json_file,
            overlay=overlay,
            mode=mode.value,
            on_match=on_match,
            stages=matcher.stages,
            preset=matcher.preset,
            **matcher.load,
        )
    except StitchingFailed as error:
        if to_stdout:
            typer.echo(json.dumps(error.contents))
        if fail_on_no_match and not any(_is_same_scene(graph) for graph in graphs):
            print_problem(str(error))
            raise typer.Exit(NO_MATCH) from error
        raise
    if to_stdout:
        typer.echo(json.dumps(stitching_to_dict(graphs[0], panorama, output)))
    if not matcher.quiet:
        _print_panorama(panorama, output, overlay, to_stderr=to_stdout)


def _is_same_scene(graph: "MatchGraph") -> bool:
    return any(pair.result.verify().same_scene for pair in graph.pairs.values())


def _print_matches(graph: "MatchGraph", *, to_stderr: bool) -> None:
    if len(graph.inputs) == 2 and len(graph.pairs) == 1:
        from tiepoint.cli.summaries import print_summary

        (pair,) = graph.pairs.values()
        print_summary(pair.result, pair.estimate, to_stderr=to_stderr)
        return
    edges = graph.edges()
    typer.echo(
        f"{len(graph.inputs)} images, {len(graph.pairs)} pairs matched, {len(edges)} overlap, "
        f"{sum(edge.estimate.num_inliers for edge in edges)} inliers",
        err=to_stderr,
    )


def _print_panorama(panorama: "Panorama", output: Path, overlay: Path | None, *, to_stderr: bool) -> None:
    from tiepoint.cli.summaries import summarize_seconds

    width, height = panorama.image_size
    view = panorama.field_of_view_deg
    lines = [
        f"{len(panorama.images)} images on a {panorama.projection} ({panorama.model} model), {width} x {height} px"
        + ("" if view is None else f", {view[0]:.0f} x {view[1]:.0f} degrees"),
        f"residuals: median {panorama.median_error_px:.2f} px, RMS {panorama.rms_px:.2f} px",
    ]
    if panorama.left_out:
        lines.append(f"left out: {', '.join(each.name for each in panorama.left_out)}")
    lines += [summarize_seconds(panorama.seconds), f"panorama: {output}"]
    lines += [] if overlay is None else [f"overlay: {overlay}"]
    typer.echo("\n".join(lines), err=to_stderr)
