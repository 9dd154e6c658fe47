"""Absolute pose: source and refinement of the focal length."""

from dataclasses import replace

import pytest
from tests.helpers.localization_scenes import QUERY, FixedFeaturesMatcher, Reconstructed, position_error
from tests.helpers.synthetic_collections import (
    FOCAL,
    SIZE,
)

from tiepoint.collection.sfm.localization import localize


@pytest.mark.slow
def test_given_focal_length_is_used(reconstructed: Reconstructed, query: str) -> None:
    collection, scene = reconstructed
    found = localize(query, collection, focal_px=FOCAL, matcher=FixedFeaturesMatcher(scene.features(QUERY)))
    assert (found.focal_source, found.camera_params[0]) == ("given", FOCAL)
    assert position_error(found.position, reconstructed) < 0.02


def test_unknown_focal_length_is_refined(reconstructed: Reconstructed, query: str) -> None:
    """An image of another size cannot share the model's camera."""
    collection, scene = reconstructed
    features = scene.features(QUERY)
    cropped = replace(
        features, image_size=(SIZE[0], SIZE[1] - 2), keypoints=features.keypoints.clamp(max=SIZE[1] - 3)
    )
    inside = (features.keypoints <= SIZE[1] - 3).all(dim=1)
    kept = {name: getattr(cropped, name)[inside] for name in ("keypoints", "scores", "descriptors")}
    found = localize(query, collection, matcher=FixedFeaturesMatcher(replace(cropped, **kept)))
    assert found.focal_source == "default"
    assert found.camera_params[0] == pytest.approx(FOCAL, rel=0.05)
    assert position_error(found.position, reconstructed) < 0.05
