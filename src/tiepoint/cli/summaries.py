"""What commands say of a pair: its images, its matches, and the geometry found."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiepoint.result import MatchResult
    from tiepoint.types import Camera, TwoViewEstimate

SOURCES = {
    "given": "as given",
    "exif": "from EXIF data",
    "guess": "a guess, nothing is known of the camera: give --intrinsics",
}


def print_images(result: "MatchResult", *, to_stderr: bool) -> None:
    """A table of both images."""
    from tiepoint.cli.tables import print_table

    print_table(("", "image 0", "image 1"), _image_rows(result), to_stderr=to_stderr)


def summarize_matches(result: "MatchResult") -> str:
    """Number of matches, layers, seconds of each stage."""
    seconds = "   ".join(f"{stage} {value:.2f} s" for stage, value in result.seconds.items())
    return f"{len(result)} matches   {result.layers_run} layers   {seconds}"


def summarize_verification(result: "MatchResult") -> str:
    """Return the probability that both images show the same scene, with the inlier count or the reason against it."""
    found = result.verify()
    evidence = f"{found.num_inliers} inliers" if found.same_scene else found.reason
    return f"same scene: {found.probability:.2f} ({evidence})"


def summarize_estimate(result: "MatchResult", estimate: "TwoViewEstimate") -> list[str]:
    """How many matches fit, and how well, and the pose with its cameras; or why there is none."""
    if not estimate.success:
        return [f"{estimate.kind}: none, {estimate.reason}"]
    return [_fit(result, estimate), *(_pose(estimate) if estimate.kind == "pose" else [])]


def _fit(result: "MatchResult", estimate: "TwoViewEstimate") -> str:
    from tiepoint.geometry.verification import median_error_px

    return (
        f"{estimate.kind}: {estimate.num_inliers} of {len(result)} matches fit within {estimate.max_error_px:g} px, "
        f"median error {median_error_px(result, estimate):.2f} px"
    )


def _pose(estimate: "TwoViewEstimate") -> list[str]:
    import numpy as np

    from tiepoint.geometry.metrics import rotation_error_deg

    assert estimate.cam1_from_cam0 is not None, "a pose that was found"
    R, t = estimate.cam1_from_cam0[:, :3], estimate.cam1_from_cam0[:, 3]
    return [
        f"rotation: {rotation_error_deg(R, np.eye(3)):.2f} degrees",
        "translation: ({:.3f}, {:.3f}, {:.3f}), only its direction: two photographs don't show how far".format(
            *t
        ),
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
    turned = [("turned by", "", f"{result.rotation1} degrees")] if result.rotation1 else []
    return [
        ("file", *(Path(features.source or "").name for features in both)),
        ("size", *("{} x {}".format(*features.image_size) for features in both)),
        *turned,
        ("keypoints", *(len(features) for features in both)),
    ]
