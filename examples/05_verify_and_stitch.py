"""Estimate two-view geometry from matches: inliers, relative pose, overlay and panorama.

    python examples/05_verify_and_stitch.py A.jpg B.jpg

Without arguments, it uses scikit-image's stereo pair of a motorcycle. A failed estimation is a value with a reason, not an
exception. Writes inliers.png, epipolar_lines.png and, where a homography was found, overlay.png and panorama.jpg.
"""

import sys

from skimage.data import stereo_motorcycle

import tiepoint

images = sys.argv[1:3] or stereo_motorcycle()[:2]
result = tiepoint.match(*images)
print(f"{len(result)} matches")

# Rigid scene, unknown cameras.
estimate = tiepoint.estimate_fundamental(result, max_error_px=1.0)
print(f"fundamental matrix: {estimate.num_inliers} inliers {estimate.reason}")
result.draw_inliers(estimate, *images).save("inliers.png")
if estimate.success:
    result.draw_epipolar_lines(estimate, *images).save("epipolar_lines.png")
    verified = result.inliers(estimate)  # a MatchResult like any other
    print(f"{len(verified)} matches verified")

# Focal length from EXIF data or a default prior. Pass known intrinsics as camera0=, camera1=.
pose = tiepoint.estimate_relative_pose(result)
if pose.success:
    print(
        "direction of the translation:",
        pose.cam1_from_cam0[:, 3].round(2),
        "focal length:",
        pose.camera0.source,
    )

# Planar scene or pure rotation: a homography maps image 0 to image 1.
homography = tiepoint.estimate_homography(result, max_error_px=3.0)
print(f"homography: {homography.num_inliers} inliers {homography.reason}")
if homography.success:
    result.overlay(homography, *images, mode="checkerboard").save("overlay.png")
    result.panorama(homography, *images).save("panorama.jpg")
