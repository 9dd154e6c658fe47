"""A query image of a synthetic collection whose features are known, so that no network runs."""

from dataclasses import replace

import numpy as np
import pycolmap
from tests.helpers.synthetic_collections import PLAIN_NAMES, Scene

from tiepoint.collection.collection import Collection
from tiepoint.collection.sfm.reconstruction import read_model
from tiepoint.matcher import Matcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.types import Features

QUERY = "sub/d.jpg"
"""Image that the reconstructed collection lacks."""

Reconstructed = tuple[Collection, Scene]


class FixedFeaturesMatcher(Matcher):
    """Returns the same features for every image, and matches them by nearest neighbors."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self.matcher = NearestMatcher(kind="", filter_threshold=0.9)

    def extract(self, image, *, mask=None) -> Features:
        return replace(self.features, source=image if isinstance(image, str) else None)


def position_error(position: np.ndarray, reconstructed: Reconstructed) -> float:
    """Distance to the true position of the query image, relative to the extent of the camera positions."""
    collection, scene = reconstructed
    model = read_model(collection)
    names = [name for name in PLAIN_NAMES if name != QUERY]
    estimated = np.array([model.find_image_with_name(name).projection_center() for name in names])
    true = np.array([scene.center(name) for name in names])
    aligned = pycolmap.estimate_sim3d(estimated, true) * position
    return float(np.linalg.norm(aligned - scene.center(QUERY)) / np.linalg.norm(np.ptp(true, axis=0)))
