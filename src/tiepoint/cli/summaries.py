"""Text summaries of a matched pair: images, matches, verification and geometry."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tiepoint.cli.flags import name_flags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiepoint.result import MatchResult
    from tiepoint.types import Camera, TwoViewEstimate

# Source of a focal length -> text
SOURCES = {
    "given": "as given",
    "exif": "from EXIF data",
    "default": "a default prior; pass --intrinsics if they are known",
}


def print_summary(
    result: "MatchResult", estimate: "TwoViewEstimate | None", *more: str, to_stderr: bool
) -> None:
    """Print the table of both images, and one line each for matches, verification, geometry and `more`."""
    print_images(result, to_stderr=to_stderr)
    lines = [summarize_matches(result), summarize_verification(result)]
    lines += [] if estimate is None else summarize_estimate(result, estimate)
    typer.echo("\n" + "\n".join([*lines, summarize_seconds(result.seconds), *more]), err=to_stderr)


def print_images(result: "MatchResult", *, to_stderr: bool) -> None:
    """Print a table of both images."""
    from tiepoint.cli.tables import print_table

    print_table(("", "image 0", "image 1"), _image_rows(result), to_stderr=to_stderr)


def summarize_matches(result: "MatchResult") -> str:
    """Return the number of matches and layers, and what a latency budget cut."""
    return f"{len(result)} matches   {result.layers_run} layers{_describe_cuts(result)}"


def summarize_seconds(seconds: "Mapping[str, float]") -> str:
    """Return the duration of each stage, and the total."""
    return "   ".join(f"{stage.replace('_', ' ')} {value:.2f} s" for stage, value in seconds.items())


def _describe_cuts(result: "MatchResult") -> str:
    """Return what a latency budget or `max_layers` left out; "" if nothing."""
    cuts = (
        [f"stopped by {result.stopped_by}"] if result.stopped_by in ("latency_budget", "max_layers") else []
    )
    found = len(result.features0), len(result.features1)
    if result.keypoints_used != found:
        cuts.append("{} and {} of {} and {} keypoints used".format(*result.keypoints_used, *found))
    return f"\ncut: {', '.join(cuts)}" if cuts else ""


def summarize_verification(result: "MatchResult") -> str:
    """Return the probability that both images show the same scene, with the inlier count or the reason against it."""
    found = result.verify()
    evidence = f"{found.num_inliers} inliers" if found.same_scene else name_flags(found.reason)
    return f"same scene: {found.probability:.2f} ({evidence})"


def summarize_estimate(result: "MatchResult", estimate: "TwoViewEstimate") -> list[str]:
    """Return inlier count and median error, and the pose with its cameras; or the reason of the failure."""
    if not estimate.success:
        return [f"{estimate.kind}: failed, {name_flags(estimate.reason)}"]
    return [_inliers(result, estimate), *(_pose(estimate) if estimate.kind == "pose" else [])]


def _inliers(result: "MatchResult", estimate: "TwoViewEstimate") -> str:
    from tiepoint.geometry.verification import median_error_px

    return (
        f"{estimate.kind}: {estimate.num_inliers} of {len(result)} matches are inliers "
        f"(threshold {estimate.max_error_px:g} px, median error {median_error_px(result, estimate):.2f} px)"
    )


def _pose(estimate: "TwoViewEstimate") -> list[str]:
    import numpy as np

    from tiepoint.geometry.metrics import rotation_error_deg

    assert estimate.cam1_from_cam0 is not None, "estimated successfully"
    R, t = estimate.cam1_from_cam0[:, :3], estimate.cam1_from_cam0[:, 3]
    return [
        f"rotation: {rotation_error_deg(R, np.eye(3)):.2f} degrees",
        "translation: ({:.3f}, {:.3f}, {:.3f}), unit length (the scale is unknown)".format(*t),
        *(
            f"camera {side}: {_camera(camera)}"
            for side, camera in enumerate((estimate.camera0, estimate.camera1))
            if camera
        ),
    ]


def _camera(camera: "Camera") -> str:
    lengths = " and ".join(f"{value:.1f}" for value in dict.fromkeys(camera.focal_lengths))
    return f"focal length {lengths} px, {SOURCES[camera.source]}"


def _image_rows(result: "MatchResult") -> list[tuple[Any, ...]]:
    both = (result.features0, result.features1)
    rotations = (result.rotation0, result.rotation1)
    return [
        ("file", *(Path(features.source or "").name for features in both)),
        ("size", *("{} x {}".format(*features.image_size) for features in both)),
        *([("rotation", *(f"{rotation} degrees" for rotation in rotations))] if any(rotations) else []),
        *([("relative scale", "", f"{result.scale:.2f}")] if result.scale != 1 else []),
        *([("tilt", "", f"{result.tilt:.2f}")] if result.tilt != 1 else []),
        ("keypoints", *(len(features) for features in both)),
    ]
