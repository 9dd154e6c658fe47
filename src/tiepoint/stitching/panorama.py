"""stitch: any number of overlapping images to a panorama."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Unpack

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.image import Image, ImageSource
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.progress import ProgressCallback, to_callback
from tiepoint.io.serialization import check_output_path, write_json
from tiepoint.io.stages import Stages
from tiepoint.matcher import Matcher
from tiepoint.matching.prescreening import prescreen_threshold
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.stitching.blending import compose
from tiepoint.stitching.cameras import CONTRADICTION, estimate_cameras
from tiepoint.stitching.candidates import candidate_pairs, prescreen
from tiepoint.stitching.canvas import make_canvas
from tiepoint.stitching.component_search import search_views
from tiepoint.stitching.cropping import largest_rectangle
from tiepoint.stitching.defects import find_defects
from tiepoint.stitching.inputs import PixelReader, StitchInput, input_name, open_input
from tiepoint.stitching.match_graph import LeftOutImage, MatchGraph, find_mirrored, match_pairs
from tiepoint.stitching.pair_matches import NO_OVERLAP
from tiepoint.stitching.result import (
    Panorama,
    StitchingFailed,
    failure_to_dict,
    stitched_image,
    stitching_to_dict,
)
from tiepoint.stitching.rotations import import_cv2
from tiepoint.stitching.seams import find_shares
from tiepoint.stitching.settings import StitchSettings
from tiepoint.stitching.views import resolution
from tiepoint.types.options import LoadOptions
from tiepoint.visualization import OverlayMode, check_image_path, check_image_size, save_image

logger = logging.getLogger(__name__)

MAX_MIRROR_CHECKS = 4  # images without overlap that are compared with mirrored ones

AnyImage = ImageSource | Image
OnMatch = Callable[[MatchGraph], None]
"""Called with all matches, before cameras are estimated."""


def stitch(
    images: Sequence[AnyImage],
    output: str | os.PathLike[str] | None = None,
    *,
    settings: StitchSettings | None = None,
    json: str | os.PathLike[str] | None = None,
    overlay: str | os.PathLike[str] | None = None,
    mode: OverlayMode = "blend",
    on_match: OnMatch | None = None,
    stages: Stages | None = None,
    preset: str | os.PathLike[str] = DEFAULT_PRESET,
    **options: Unpack[LoadOptions],
) -> Panorama:
    """Stitch any number of overlapping images, in any order, to a panorama.

    The images must be from one viewpoint, or show a plane; a warning names scenes with depth. Images that do not belong
    to the largest group of overlapping images are left out, each with a reason.

    Args:
        images: At least two images, in any form of `tiepoint.match`.
        output: Output path of the panorama; the suffix decides the format. None writes no file.
        settings: Projection, model, crop, exposure and limits; None for the defaults.
        json: Output path of cameras, pairs and residuals as JSON, ending in .json; of two images with their matches.
            If the images cannot be stitched, it has the reasons.
        overlay: Output path of image 0 warped onto image 1, of two images; written even if the panorama fails.
        mode: Overlay mode: "blend" or "checkerboard".
        on_match: Callback with the match graph, called before the cameras are estimated.
        stages: Timer of the stages, which may show them; None times them silently.
        preset: Name of a preset, or folder of a trained model; see `load`.
        **options: Options of `load`.

    Raises:
        InvalidInput: If fewer than two images can be read or overlap (the message has the reasons), they are duplicates,
            no cameras explain the matches, an option is invalid, or a file cannot be written. No panorama is written then.
        MissingDependency: If OpenCV is not installed.
        WeightsError: If weights cannot be found, downloaded or loaded.

    Example:
        >>> panorama = tiepoint.stitch(["a.jpg", "b.jpg", "c.jpg"], "panorama.png")
        >>> panorama.projection, panorama.left_out
    """
    _check_arguments(images, output, json, overlay)
    settings, stages = settings or StitchSettings(), stages or Stages()
    progress = to_callback(options.get("progress", False) if len(images) > 2 else False)
    with stages("load_weights"):
        matcher = load(preset, **options)
    left_out, graph = _match_all(matcher, images, settings, stages, progress, str(preset), options)
    if on_match is not None:
        on_match(graph)
    try:
        if overlay is not None:
            _write_overlay(graph, images, overlay, mode)
        panorama = _render(matcher, images, graph, left_out, settings, stages, progress, output)
        if output is not None:
            with stages("save"):
                panorama.save(output)
    except InvalidInput as error:
        contents = failure_to_dict(graph, left_out, str(error))
        if json is not None:
            write_json(contents, json)
        raise StitchingFailed(str(error), contents) from error
    panorama = replace(panorama, seconds=stages.with_total())
    if json is not None:
        write_json(stitching_to_dict(graph, panorama, output), json)
    return panorama


def _render(
    matcher: Matcher,
    images: Sequence[AnyImage],
    graph: MatchGraph,
    left_out: list[LeftOutImage],
    settings: StitchSettings,
    stages: Stages,
    progress: ProgressCallback,
    output: str | os.PathLike[str] | None,
) -> Panorama:
    with stages("estimate"):
        component = _largest_component(matcher, graph, images, left_out, settings)
        inputs = [graph.inputs[index] for index in component]
        cameras = estimate_cameras(inputs, graph.edges(component), settings)
        kept = {each.index for each in cameras.inputs}
        left_out += [
            LeftOutImage(index=each.index, name=each.name, reason=CONTRADICTION)
            for each in inputs
            if each.index not in kept
        ]
        canvas = make_canvas(cameras.views, settings.max_output_megapixels)
        if output is not None and not settings.crop:  # before the work, not after it
            check_image_size((canvas.width, canvas.height), output)
    scales = [canvas.scale / resolution(view) for view in cameras.views]
    warnings = find_defects(graph, cameras, left_out, scales)
    with stages("seams"):
        shares = find_shares(cameras.inputs, cameras.views, canvas, exposure=settings.exposure)
    with stages("blend"):
        factors = {each.index: scale for each, scale in zip(cameras.inputs, scales, strict=True)}
        reader = PixelReader(images, matcher.extractor.settings.stretch, factors)
        pixels = compose(cameras.views, shares, lambda number: reader(cameras.inputs[number].index), progress)
    panorama = Panorama(
        pixels=pixels,
        images=tuple(
            stitched_image(each.index, each.name, view, scale)
            for each, view, scale in zip(cameras.inputs, cameras.views, scales, strict=True)
        ),
        left_out=tuple(sorted(left_out, key=lambda each: each.index)),
        pairs=tuple(cameras.edges),
        dropped_pairs=tuple(cameras.dropped_edges),
        views=tuple(cameras.views),
        canvas=canvas,
        model=cameras.model,
        projection=cameras.projection,
        rms_px=cameras.rms_px,
        median_error_px=cameras.median_px,
        field_of_view_deg=cameras.field_of_view_deg,
        warnings=warnings,
        seconds={},
    )
    return _cropped(panorama) if settings.crop else panorama


def _cropped(panorama: Panorama) -> Panorama:
    tile = largest_rectangle(panorama.pixels[..., 3])
    if tile.width * tile.height == 0:
        logger.warning("the panorama has no opaque rectangle, so it is not cropped")
        return panorama
    return panorama.cropped(tile)


def _check_arguments(
    images: Sequence[AnyImage],
    output: str | os.PathLike[str] | None,
    json: str | os.PathLike[str] | None,
    overlay: str | os.PathLike[str] | None,
) -> None:
    import_cv2()
    if len(images) < 2:
        raise InvalidInput(f"stitching needs at least two images, got {len(images)}")
    check_overwrites((output, json, overlay), images)
    if overlay is not None and len(images) != 2:
        raise InvalidInput(f"overlay: expected two images, got {len(images)}; leave out the overlay")
    for path in (output, overlay):
        if path is not None:
            check_image_path(path)
    if json is not None:
        check_output_path(json, ".json")


def _write_overlay(
    graph: MatchGraph, images: Sequence[AnyImage], path: str | os.PathLike[str], mode: OverlayMode
) -> None:
    (pair,) = graph.pairs.values()
    if pair.result.verify().same_scene and pair.estimate.success:
        shown = (images[index] for index in pair.indices)
        save_image(pair.result.overlay(pair.estimate, *shown, mode=mode), path)


def _match_all(
    matcher: Matcher,
    images: Sequence[AnyImage],
    settings: StitchSettings,
    stages: Stages,
    progress: ProgressCallback,
    preset: str,
    options: LoadOptions,
) -> tuple[list[LeftOutImage], MatchGraph]:
    """Extract and match; return the images that cannot be read, and the match graph of the others."""
    with stages("extract"):
        inputs, left_out = _open_all(matcher, images, progress)
    with stages("match"):
        order = sorted(inputs)
        features = [inputs[index].features for index in order]
        threshold = prescreen_threshold("auto", preset, options, by_default=True)
        pairs = prescreen(matcher, features, candidate_pairs(features), preset, threshold)
        graph = match_pairs(matcher, inputs, [(order[i], order[j]) for i, j in pairs], settings, progress)
        search_views(matcher, graph, images, settings, progress)
    return left_out, graph


def _open_all(
    matcher: Matcher, images: Sequence[AnyImage], progress: ProgressCallback
) -> tuple[dict[int, StitchInput], list[LeftOutImage]]:
    inputs: dict[int, StitchInput] = {}
    left_out: list[LeftOutImage] = []
    with progress("extracting features", len(images)) as advance:
        for index, source in enumerate(images):
            try:
                inputs[index] = open_input(matcher, source, index)
            except InvalidInput as error:
                if len(images) - len(left_out) <= 2:
                    raise
                left_out.append(LeftOutImage(index=index, name=input_name(source, index), reason=str(error)))
            advance(1)
    return inputs, left_out


def _largest_component(
    matcher: Matcher,
    graph: MatchGraph,
    images: Sequence[AnyImage],
    left_out: list[LeftOutImage],
    settings: StitchSettings,
) -> list[int]:
    """Return the images of the panorama; the others are added to `left_out`."""
    names = {index: each.name for index, each in graph.inputs.items()}
    duplicates = graph.duplicates()
    left_out += [
        LeftOutImage(index=index, name=names[index], reason=f"duplicate of {names[other]}")
        for index, other in duplicates.items()
    ]
    component, *others = graph.components(duplicates)
    outside = [index for other in others for index in other]
    if len(component) < 2:
        component, outside = (
            [],
            [index for index in [*component, *outside] if index not in duplicates.values()],
        )
    for number, index in enumerate(outside):
        reason = graph.reason_left_out(index, component)
        if reason.startswith(NO_OVERLAP) and number < MAX_MIRROR_CHECKS:
            other = find_mirrored(matcher, graph, images, index, settings)
            reason = f"it is a mirror image of a part of {other}; flip it" if other else reason
        left_out.append(LeftOutImage(index=index, name=names[index], reason=reason))
    if not component:
        reasons = "; ".join(f"{each.name}: {each.reason}" for each in left_out)
        raise InvalidInput(
            f"cannot stitch {len(images)} images, because no two of them can be joined. {reasons}"
        )
    return component
