"""register: resample moving images onto the pixel grid of a fixed one, and write them."""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.image.rasters import Raster, read_raster
from tiepoint.image.resampling import Interpolation, Resampler, WarpedTile
from tiepoint.io.atomic import check_overwrites, check_writable
from tiepoint.io.messages import quote
from tiepoint.io.progress import Progress, to_callback
from tiepoint.io.serialization import check_output_path, write_json
from tiepoint.io.stages import Stages
from tiepoint.matcher import Matcher
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.registration.alignment import Alignment, AlignSettings, View, align
from tiepoint.registration.checks import reason_not_aligned
from tiepoint.registration.control_points import check_control_points_path, write_control_points
from tiepoint.registration.deformation import require_scipy
from tiepoint.registration.pages import write_page
from tiepoint.registration.raster_files import Layout, check_layout, check_mask_path, write_mask, write_raster
from tiepoint.types.options import LoadOptions

logger = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarpSettings:
    """Options of the resampled image.

    Attributes:
        interpolation: "nearest", "linear" or "cubic".
        nodata: Value where the moving image shows nothing; None for an alpha channel (one or three bands of 8 or 16
            bits), NaN (floating point) or 0.
        force: Whether to write the image even if pair verification finds that the images show different scenes.
    """

    interpolation: Interpolation = "cubic"
    nodata: float | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """Output paths besides the image; None writes none.

    Attributes:
        mask: 8-bit mask: 255 where the moving image is known.
        control_points: Matches with residuals, .csv, or .points for QGIS.
        html: Page with the interactive viewer, with a swipe overlay.
        json: Model, matrix, residuals and seconds.
    """

    mask: Path | None = None
    control_points: Path | None = None
    html: Path | None = None
    json: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A registered image.

    Attributes:
        alignment: Matches and model.
        output: Path of the aligned image; None if it was not written.
        reason: Why it was not written; "" if it was.
    """

    alignment: Alignment | None
    output: Path | None
    reason: str = ""


def register(
    moving: PathLike,
    fixed: PathLike,
    output: PathLike,
    *,
    align_settings: AlignSettings | None = None,
    warp_settings: WarpSettings | None = None,
    extras: Extras | None = None,
    stages: Stages | None = None,
    preset: PathLike = DEFAULT_PRESET,
    **options: Unpack[LoadOptions],
) -> Alignment:
    """Register an image to another: match, estimate, and write the moving image on the pixel grid of the fixed one.

    The output has the size of the fixed image, the bands and the type of the moving one, and GeoTIFF tags of the fixed
    image. Nothing is written if the images cannot be aligned.

    Args:
        moving: Path of the image that is warped.
        fixed: Path of the image that defines the grid.
        output: Output path: .tif for any type and number of bands, .png, .jpg or .webp.
        align_settings: Model, threshold and bands; None for the defaults.
        warp_settings: Interpolation and values outside of the image; None for the defaults.
        extras: Output paths besides the image.
        stages: Timer of the stages, which may show them; None times them silently.
        preset: Name of a preset, or folder of a trained model; see `tiepoint.load`.
        **options: Options of `tiepoint.load`; `progress` shows bars.

    Returns:
        Matches, model and residuals.

    Raises:
        InvalidInput: If an image cannot be read, an option is invalid, the images cannot be aligned, or a file cannot be
            written; the message says why.
        MissingDependency: If OpenCV is missing, tifffile for TIFF, or SciPy for `piecewise` (extra `register`).

    Example:
        >>> alignment = tiepoint.register("query.jpg", "a.jpg", "aligned.png")
        >>> alignment.estimate.kind, alignment.rms_px
    """
    extras, stages, target = extras or Extras(), stages or Stages(), Path(output)
    check_overwrites((output, extras.mask, extras.control_points, extras.html, extras.json), (moving, fixed))
    _check_outputs(target, extras)
    settings = align_settings or AlignSettings()
    if settings.piecewise:
        require_scipy()
    with stages("read"):
        fixed_view = View.of(read_raster(fixed), settings.fixed_bands or settings.bands)
        moving_view = View.of(read_raster(moving), settings.bands)
    check_layout(
        target, layout_of(moving_view.raster, fixed_view.raster, target, warp_settings or WarpSettings())
    )
    with stages("load_weights"):
        matcher = load(preset, **options)
    return _register_view(
        matcher,
        moving_view,
        fixed_view,
        target,
        settings,
        warp_settings or WarpSettings(),
        extras,
        stages,
        options.get("progress", False),
    )


def register_many(
    moving: Iterable[PathLike],
    fixed: PathLike,
    folder: PathLike,
    *,
    suffix: str | None = None,
    align_settings: AlignSettings | None = None,
    warp_settings: WarpSettings | None = None,
    overwrite: bool = False,
    preset: PathLike = DEFAULT_PRESET,
    **options: Unpack[LoadOptions],
) -> Iterator[tuple[Path, Registration]]:
    """Register many images to one, whose features are extracted once; images that cannot be aligned are reported.

    Can be interrupted and resumed: outputs that exist are skipped.

    Args:
        moving: Paths of the images that are warped.
        fixed: Path of the image that defines the grid.
        folder: Output folder; outputs have the names of the moving images.
        suffix: Suffix of the outputs, such as ".tif"; None keeps that of each image.
        align_settings: Model, threshold and bands; None for the defaults.
        warp_settings: Interpolation and values outside of the image; None for the defaults.
        overwrite: Whether to write outputs again that exist.
        preset: Name of a preset, or folder of a trained model; see `tiepoint.load`.
        **options: Options of `tiepoint.load`; `progress` shows bars.

    Yields:
        Each path, and its registration, which has a reason instead of an output if it failed, and no alignment if the
        output existed.

    Raises:
        InvalidInput: If the fixed image cannot be read, two outputs have the same path, or an option is invalid.
        MissingDependency: If OpenCV is missing, tifffile for TIFF, or SciPy for `piecewise` (extra `register`).
    """
    settings, target = align_settings or AlignSettings(), Path(folder)
    if settings.piecewise:
        require_scipy()
    jobs = [(Path(path), target / (Path(path).stem + (suffix or Path(path).suffix))) for path in moving]
    check_overwrites([output for _, output in jobs], [*(path for path, _ in jobs), fixed])
    fixed_view = View.of(read_raster(fixed), settings.fixed_bands or settings.bands)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"cannot use {target} as output folder: {error.strerror or error}") from error
    matcher: Matcher | None = None
    with to_callback(options.get("progress", False))("images", len(jobs)) as advance:
        for path, output in jobs:
            if output.exists() and not overwrite:
                yield path, Registration(alignment=None, output=output)
            else:
                matcher = matcher or load(preset, **options)
                yield (
                    path,
                    _try_register(
                        matcher, path, fixed_view, output, settings, warp_settings or WarpSettings()
                    ),
                )
            advance(1)


def _try_register(
    matcher: Matcher, path: Path, fixed: View, output: Path, settings: AlignSettings, warp: WarpSettings
) -> Registration:
    try:
        moving = View.of(read_raster(path), settings.bands)
        alignment = _register_view(matcher, moving, fixed, output, settings, warp, Extras(), Stages(), False)
    except InvalidInput as error:
        return Registration(alignment=None, output=None, reason=str(error))
    return Registration(alignment=alignment, output=output)


def _register_view(
    matcher: Matcher,
    moving: View,
    fixed: View,
    output: Path,
    settings: AlignSettings,
    warp: WarpSettings,
    extras: Extras,
    stages: Stages,
    progress: Progress,
) -> Alignment:
    layout = layout_of(moving.raster, fixed.raster, output, warp)
    check_layout(output, layout)
    alignment = align(matcher, moving, fixed, settings, stages)
    verification = None if warp.force else alignment.result.verify()
    reason = reason_not_aligned(alignment.estimate, verification, moving.raster.image_size)
    if reason:
        raise InvalidInput(
            f"cannot register {quote(moving.raster.source)} to {quote(fixed.raster.source)}: {reason}"
        )
    with stages("warp"):
        is_inside = write_warped(output, alignment, layout, warp.interpolation, progress)
    _write_extras(extras, alignment, is_inside)
    if extras.json is not None:
        write_json(alignment.to_dict() | {"output": str(output), "seconds": stages.with_total()}, extras.json)
    return alignment


def write_warped(
    output: Path,
    alignment: Alignment,
    layout: Layout,
    interpolation: Interpolation = "cubic",
    progress: Progress = False,
) -> np.ndarray:
    """Write the moving image on the grid of the fixed one.

    Args:
        output: Output path.
        alignment: Successful alignment.
        layout: Size, type and bands of the raster.
        interpolation: "nearest", "linear" or "cubic".
        progress: True for a bar on stderr, or a callback.

    Returns:
        Where the moving image is known, shape (h, w).
    """
    raster = alignment.moving.raster
    assert alignment.estimate.matrix is not None, "failures are not written"
    deformation = alignment.deformation
    resampler = Resampler(
        raster.bands,
        alignment.estimate.matrix,
        interpolation,
        alignment.moving.validity,
        None if deformation is None else deformation.displacement,
    )
    width, height = layout.size
    is_inside = np.zeros((height, width), dtype=bool)

    def tiles(side: int) -> Iterator[WarpedTile]:
        count = -(-width // side) * -(-height // side)
        with to_callback(progress)("tiles", count) as advance:
            for warped in resampler.tiles(layout.size, side):
                is_inside[warped.tile.slices] = warped.is_inside
                advance(1)  # before the last tile is taken: writers do not ask for another
                yield warped

    write_raster(output, tiles, layout)
    return is_inside


def layout_of(moving: Raster, fixed: Raster, output: Path, settings: WarpSettings) -> Layout:
    """Return what is written: the bands and type of the moving image on the grid of the fixed one.

    Args:
        moving: Moving image.
        fixed: Fixed image.
        output: Output path.
        settings: Value outside of the moving image.

    Raises:
        InvalidInput: If the type of the moving image does not hold `nodata`.
    """
    dtype, bands = moving.pixels.dtype, moving.bands.shape[2]
    is_jpeg = output.suffix.lower() in (".jpg", ".jpeg")
    can_be_transparent = dtype in (np.uint8, np.uint16) and bands in (1, 3) and not is_jpeg
    nodata = settings.nodata
    if nodata is None and not can_be_transparent and not is_jpeg:
        nodata = float("nan") if dtype.kind == "f" else _held(moving.nodata, dtype)
    if nodata is not None and dtype.kind != "f" and not _is_held(nodata, dtype):
        raise InvalidInput(
            f"nodata: {quote(moving.source)} has values of type {dtype}, which cannot hold {nodata:g}"
        )
    return Layout(
        size=fixed.image_size,
        dtype=dtype,
        bands=bands,
        has_alpha=can_be_transparent and nodata is None,
        nodata=nodata,
        is_white_zero=moving.is_white_zero,
        geo=fixed.geo,
    )


def _held(nodata: float | None, dtype: np.dtype) -> float:
    """Return the no-data value of an image if its type holds it, as some do not; otherwise 0."""
    return nodata if nodata is not None and _is_held(nodata, dtype) else 0.0


def _is_held(value: float, dtype: np.dtype) -> bool:
    limits = np.iinfo(dtype)
    return limits.min <= value <= limits.max and value == int(value)


def _check_outputs(output: Path, extras: Extras) -> None:
    for path in (output, extras.mask, extras.control_points, extras.html, extras.json):
        if path is not None:
            check_writable(path)
    if extras.mask is not None:
        check_mask_path(extras.mask)
    if extras.json is not None:
        check_output_path(extras.json, ".json")
    if extras.control_points is not None:
        check_control_points_path(extras.control_points)
    if extras.html is not None and extras.html.suffix.lower() != ".html":
        raise InvalidInput(f"cannot write a page to {extras.html}: expected a name ending in .html")


def _write_extras(extras: Extras, alignment: Alignment, is_inside: np.ndarray) -> None:
    if extras.mask is not None:
        write_mask(extras.mask, is_inside)
    if extras.control_points is not None:
        geo = alignment.fixed.raster.geo
        mapped, chosen = alignment.points_in_fixed, alignment.is_control_point
        write_control_points(extras.control_points, alignment.matches, mapped, chosen, geo)
    if extras.html is not None:
        write_page(extras.html, alignment)
