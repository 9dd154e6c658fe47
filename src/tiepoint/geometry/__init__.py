"""From tie points to geometry: the only place that imports poselib, OpenCV and pycolmap.

estimate         estimate_homography, …_fundamental, …_essential, …_relative_pose; ESTIMATORS, the table of methods
intrinsics       cameras from the user, a file, EXIF data, or a guess that is said to be one
transforms       points, lines and motions
metrics          errors against the truth, and AUC
correspondences  what estimators take: a MatchResult, or two arrays of points
problem          what a backend is asked, and what it answers
agreement        inliers, and whether they determine the model: one definition for all backends
*_backend, dlt   the estimators
"""
