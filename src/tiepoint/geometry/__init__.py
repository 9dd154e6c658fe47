"""Two-view geometry from tie points; the only package that imports poselib and OpenCV.

thresholds         default inlier thresholds
estimate           estimate_similarity, …_affine, …_homography, …_fundamental, …_essential, …_relative_pose
alignment          estimate_alignment: the simplest model that explains the matches
solver             ESTIMATORS, the table of methods, and the steps that they share
inliers            inliers and degeneracy checks, the same for all backends
verification       geometric verification by the name of a model
pair_verification  PairVerification: whether two images show the same scene
intrinsics         cameras from the user, a file, EXIF data, or a default prior; undistortion
multiview          points, lines and poses
metrics            errors with respect to ground truth, AUC
ground_truth       ground-truth matches
colmap             COLMAP conventions and models
backends/          the estimators: PoseLib, OpenCV, pycolmap, DLT
"""
