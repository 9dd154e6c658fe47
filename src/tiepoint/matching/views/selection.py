"""Decisions of a search over views: which matches are good enough, and which of two are better."""

from tiepoint.matching.views.view_match import ViewMatch

# Pair verification from which on no cheap matches are needed
MIN_CONFIDENT_PROBABILITY = 0.9
MIN_CONFIDENT_INLIERS = 15

# Minimum number of inliers of a cheap match for a full one
MIN_CHEAP_INLIERS = 12

# Minimum ratio of inliers for views that replace the images as they are, if neither is verified
MIN_UNVERIFIED_RATIO = 1.5


def is_confident(match: ViewMatch) -> bool:
    """Return whether pair verification is confident that the images overlap."""
    verification = match.verification
    is_probable = verification.probability >= MIN_CONFIDENT_PROBABILITY
    return is_probable and verification.num_inliers >= MIN_CONFIDENT_INLIERS


def beats(found: ViewMatch, known: ViewMatch) -> bool:
    """Return whether the matches of views replace known ones: more inliers, and verified, or far more inliers.

    Args:
        found: Matches of views.
        known: Matches of the images as they are, or of other views.
    """
    if found.verification.same_scene:
        return found.num_inliers > known.num_inliers
    is_open = not known.verification.same_scene
    return is_open and found.num_inliers > MIN_UNVERIFIED_RATIO * known.num_inliers
