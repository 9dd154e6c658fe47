"""Jobs of two images: match, verify, estimate geometry; and the files and numbers of the result."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tiepoint.app.jobs import Job
from tiepoint.app.messages import RequestError
from tiepoint.app.models import Models
from tiepoint.app.options import GeometrySettings, MatchSettings
from tiepoint.app.settings import Limits
from tiepoint.app.uploads import Upload, Uploads, with_name
from tiepoint.errors import InvalidInput
from tiepoint.extraction.masks import fill_polygons, read_mask
from tiepoint.geometry.metrics import rotation_error_deg
from tiepoint.geometry.verification import make_verifier, median_error_px
from tiepoint.html.pair_viewers import estimate_for_page
from tiepoint.image import Image
from tiepoint.io.stages import Stages
from tiepoint.result import MatchResult
from tiepoint.types import TwoViewEstimate

VIEWER, ARRAYS = "viewer.json", "matches.npz"
MAX_POLYGONS, MAX_VERTICES = 50, 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A mask of a request.

    Attributes:
        polygons: Polygons in px of the image.
        keep_inside: Whether keypoints are allowed inside the polygons only, or outside only.
        content: Content of an image file, instead of polygons.
    """

    polygons: Sequence[Any] = ()
    keep_inside: bool = True
    content: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRequest:
    """A pair of images to match.

    Attributes:
        images: Both images.
        masks: Mask of each image.
        match: Options of matching.
        geometry: Options of two-view geometry; None for the geometry that the viewer shows.
    """

    images: tuple[Upload, Upload]
    masks: tuple[Mask | None, Mask | None] = (None, None)
    match: MatchSettings
    geometry: GeometrySettings | None = None


def parse_mask(value: Any, name: str) -> Mask | None:
    """Validate a mask of a JSON request.

    Args:
        value: {"polygons": [[[x, y], …], …], "inside": true or false}, or None.
        name: Name of the mask for messages.

    Raises:
        RequestError: If it has another form, or too many vertices.
    """
    if not value:
        return None
    polygons = value.get("polygons") if isinstance(value, dict) else None
    if not isinstance(polygons, list) or not all(isinstance(each, list) for each in polygons):
        raise RequestError(f'{name}: expected {{"polygons": [[[x, y], …], …], "inside": true}}', 422)
    if len(polygons) > MAX_POLYGONS or sum(map(len, polygons)) > MAX_VERTICES:
        raise RequestError(f"{name}: at most {MAX_POLYGONS} polygons with {MAX_VERTICES:,} vertices", 422)
    return Mask(polygons=polygons, keep_inside=value.get("inside", True) is not False) if polygons else None


def rasterize_mask(mask: Mask | None, image: Image, name: str, limits: Limits) -> Tensor | None:
    """Return the mask of an image, shape (h, w), True where keypoints are allowed; None if it has none.

    Args:
        mask: Mask of a request.
        image: Image of the mask.
        name: Name of the mask for messages.
        limits: Limits of images, which masks must not exceed either.

    Raises:
        InvalidInput: If it is not a mask of this image, or has too many pixels.
    """
    if mask is None:
        return None
    if mask.content is None:
        inside = fill_polygons(mask.polygons, image.image_size, name)
        return inside if mask.keep_inside else ~inside
    try:
        return read_mask(mask.content, image, name, limits.max_megapixels)
    except InvalidInput as error:
        raise with_name(error, name) from error


def match_pair(
    request: PairRequest, job: Job, uploads: Uploads, models: Models
) -> tuple[MatchResult, TwoViewEstimate | None, tuple[Image, Image]]:
    """Match and verify a pair.

    Args:
        request: Images and options.
        job: Job that shows the stages, and stops the work.
        uploads: Images of the server.
        models: Networks of the server.

    Returns:
        The matches with the seconds of all stages, the requested geometry, and both images.

    Raises:
        TiepointError: If an image, mask or option is invalid, or weights cannot be loaded.
    """
    stages = Stages(job.progress)
    with stages("load_weights"):
        matcher = models.matcher(request.match)
    with stages("read"):
        images = uploads.read(request.images[0]), uploads.read(request.images[1])
        masks = [
            rasterize_mask(mask, image, f"mask{side}", uploads.limits)
            for side, (mask, image) in enumerate(zip(request.masks, images, strict=True))
        ]
    result = matcher.match(*images, mask0=masks[0], mask1=masks[1], stages=stages)
    with stages("verify"):
        result.verify()
        geometry = request.geometry
        estimate = geometry and make_verifier(geometry.kind, max_error_px=geometry.max_error_px)(result)
    return result.with_seconds(stages.with_total()), estimate, images


def write_pair_files(
    request: PairRequest, job: Job, uploads: Uploads, models: Models, name: str = ""
) -> dict[str, Any]:
    """Match a pair, and write the viewer's data and the arrays into the folder of the job.

    Args:
        request: Images and options.
        job: Job, which is running.
        uploads: Images of the server.
        models: Networks of the server.
        name: Prefix of the names of the files.

    Returns:
        Numbers and texts for the page.

    Raises:
        TiepointError: If an image, mask or option is invalid, or weights cannot be loaded.
    """
    result, estimate, images = match_pair(request, job, uploads, models)
    with job.progress("draw", None):
        write_viewer(result, estimate, images, job.folder / f"{name}{VIEWER}")
        result.save(job.folder / f"{name}{ARRAYS}", estimate, result.verify())
    return describe(result, estimate, request)


def write_viewer(
    result: MatchResult, estimate: TwoViewEstimate | None, images: tuple[Image, Image], path: Path
) -> None:
    """Write the data of the viewer as JSON."""
    shown, homography = estimate_for_page(result, estimate)
    data = result.viewer_data(
        shown, result.verify(), homography=homography, image0=images[0], image1=images[1]
    )
    path.write_text(json.dumps(data, allow_nan=False), encoding="utf-8")


def describe(result: MatchResult, estimate: TwoViewEstimate | None, request: PairRequest) -> dict[str, Any]:
    """Return numbers and texts of a result for the page, as JSON values."""
    verification = result.verify()
    return {
        "preset": request.match.preset,
        "matches": len(result),
        "keypoints": [len(result.features0), len(result.features1)],
        "layers_run": result.layers_run,
        "same_scene": verification.same_scene,
        "probability": round(verification.probability, 4),
        "reason": verification.reason,
        "num_inliers": verification.num_inliers,
        "seconds": {name: round(value, 4) for name, value in result.seconds.items()},
        "rotation1": result.rotation1,
        "notes": [f"{each.name}: {each.note}" for each in request.images if each.note],
        "estimate": None if estimate is None else describe_estimate(result, estimate),
    }


def describe_estimate(result: MatchResult, estimate: TwoViewEstimate) -> dict[str, Any]:
    """Return two-view geometry for the page, as JSON values."""
    error = median_error_px(result, estimate)
    described = {
        "kind": estimate.kind,
        "success": estimate.success,
        "reason": estimate.reason,
        "num_inliers": estimate.num_inliers,
        "max_error_px": estimate.max_error_px,
        "median_error_px": round(error, 3) if np.isfinite(error) else None,
        "matrix": None if estimate.matrix is None else estimate.matrix.tolist(),
        "pose": None,
    }
    if estimate.kind == "pose" and estimate.cam1_from_cam0 is not None:
        R, t = estimate.cam1_from_cam0[:, :3], estimate.cam1_from_cam0[:, 3]
        cameras = [camera for camera in (estimate.camera0, estimate.camera1) if camera is not None]
        described["pose"] = {
            "rotation_deg": round(rotation_error_deg(R, np.eye(3)), 3),
            "rotation": R.tolist(),
            "translation": t.tolist(),
            "focal_lengths_px": [round(float(camera.focal_lengths[0]), 1) for camera in cameras],
            "focal_sources": [camera.source for camera in cameras],
        }
    return described
