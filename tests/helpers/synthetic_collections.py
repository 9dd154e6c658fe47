"""A collection of images of known points by known cameras, as a run would have left it; no network runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
import PIL.Image
import torch

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.images import ImageRecord, scan_images
from tiepoint.collection.pairs.pairs_file import pairs_provenance, write_selected_pairs
from tiepoint.collection.state import State, Stores, estimate_to_record, write_state
from tiepoint.feature_store.keys import pair_key
from tiepoint.feature_store.records import features_to_record, matches_to_record
from tiepoint.geometry.verification import estimate_two_view
from tiepoint.types import Correspondences, Features

SIZE = (640, 480)
FOCAL = 700.0
NAMES = ("a.jpg", "b b.jpg", "sub/ä-ö.jpg", "sub/d.jpg", "sub-d.jpg", "z.jpg")
"""With spaces, folders, unicode, and two that are one when "/" becomes "-"."""

PLAIN_NAMES = ("a.jpg", "b.jpg", "sub/c.jpg", "sub/d.jpg", "e.jpg", "f.jpg")
POINTS = 300
WRONG = 20  # matches of each pair
UPRIGHT_SIZES = {orientation: SIZE if orientation < 5 else SIZE[::-1] for orientation in range(1, 9)}
EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Scene:
    """What is true: points, and where each camera is."""

    points: np.ndarray
    cam_from_world: dict[str, np.ndarray]
    descriptors: np.ndarray

    def center(self, name: str) -> np.ndarray:
        R, t = self.cam_from_world[name][:, :3], self.cam_from_world[name][:, 3]
        return -R.T @ t

    def features(self, name: str, *, seed: int = 0) -> Features:
        """The points in this image, in an order of its own, a tenth of a pixel off."""
        chosen = order(name)
        generator = np.random.default_rng([seed, *name.encode()])
        X = self.points[chosen] @ self.cam_from_world[name][:, :3].T + self.cam_from_world[name][:, 3]
        center = (np.array(SIZE) - 1) / 2
        keypoints = FOCAL * X[:, :2] / X[:, 2:] + center + generator.normal(0, 0.1, (len(chosen), 2))
        return Features(
            keypoints=torch.from_numpy(keypoints).float(),
            scores=torch.linspace(1, 0.1, len(chosen)),
            descriptors=torch.from_numpy(self.descriptors[chosen]).float(),
            image_size=SIZE,
        )


def order(name: str) -> np.ndarray:
    """Which point each keypoint of an image is; every image misses some."""
    return np.random.default_rng(list(name.encode())).permutation(POINTS)[: POINTS - 30]


def make_scene(names: Sequence[str], motion: Literal["arc", "forward", "none"] = "arc") -> Scene:
    """Cameras on an arc around a box full of points, on a line towards it, or rotating in one place."""
    generator = np.random.default_rng(0)
    descriptors = generator.normal(size=(POINTS, 32))
    angles = np.linspace(-0.4, 0.4, len(names))
    distances = np.linspace(8, 6, len(names)) if motion == "forward" else np.full(len(names), 8.0)
    poses = {
        name: _pose(angle, 0.3 * angle**2, distance, motion)
        for name, angle, distance in zip(names, angles, distances, strict=True)
    }
    return Scene(
        points=generator.uniform(-1.5, 1.5, (POINTS, 3)),
        cam_from_world=poses,
        descriptors=descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True),
    )


def make_collection(
    folder: Path,
    names: Sequence[str] = PLAIN_NAMES,
    *,
    leave_out: str = "",
    verify: bool = True,
    motion: Literal["arc", "forward", "none"] = "arc",
) -> tuple[Collection, Scene]:
    """Write images to `folder/photos`, and to `folder/out` what a run over them leaves."""
    scene = make_scene(names, motion)
    _write_image_folder(folder / "photos", [name for name in names if name != leave_out])
    images, _ = scan_images(folder / "photos")
    settings = {
        "features": {"of": "a test"},
        "matches": {"by": "a test"},
        "verified": {"by": "a test", "seed": 0},
    }
    stores = Stores.open(str(folder / "out" / "stores"), settings)
    features = {image: scene.features(image.name) for image in images}
    stores.features.write("features", {p.key: features_to_record(features[p]) for p in images})
    for pair in combinations(images, 2):
        _write_pair(stores, pair, features, verify=verify)
    state = State(
        image_folder=folder / "photos",
        images=images,
        options={"preset": "aliked+nearest", "pairs": "exhaustive", "load": {}},
        stores=str(folder / "out" / "stores"),
        settings=settings,
    )
    write_state(folder / "out", state)
    pairs = [(p.name, q.name) for p, q in combinations(images, 2)]
    source = pairs_provenance("exhaustive", images, settings["features"])
    write_selected_pairs(folder / "out", pairs, source)
    return open_collection(folder / "out"), scene


def true_matches(name0: str, name1: str) -> np.ndarray:
    """(k, 2) of all points that both images see."""
    places = {point: place for place, point in enumerate(order(name1).tolist())}
    return np.array([(i, places[p]) for i, p in enumerate(order(name0).tolist()) if p in places])


def with_wrong_ones(matches: np.ndarray) -> np.ndarray:
    """The first partners change places, so that a match stays one-to-one."""
    wrong = matches.copy()
    wrong[:WRONG, 1] = np.roll(wrong[:WRONG, 1], 1)
    return wrong


def write_image(path: Path, *, orientation: int = 1, size: tuple[int, int] = SIZE) -> None:
    """A small JPEG whose content follows from its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = PIL.Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    color = tuple(np.random.default_rng(list(path.name.encode())).integers(0, 256, 3).tolist())
    PIL.Image.new("RGB", size, color).save(path, exif=exif)


def _write_image_folder(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        write_image(folder / name)


def _write_pair(
    stores: Stores,
    pair: tuple[ImageRecord, ImageRecord],
    features: dict[ImageRecord, Features],
    *,
    verify: bool,
) -> None:
    key = pair_key((pair[0].key, pair[1].key))
    matches = with_wrong_ones(true_matches(pair[0].name, pair[1].name))
    stores.matches.write("matches", {key: matches_to_record(matches, np.linspace(1, 0.2, len(matches)))})
    if verify:
        points = [features[p].keypoints.numpy()[matches[:, side]] for side, p in enumerate(pair)]
        estimate = estimate_two_view(Correspondences.from_points(*points), max_error_px=2.0)
        stores.verified.write("verified", {key: estimate_to_record(estimate)})


def _pose(angle: float, height: float, distance: float, motion: str) -> np.ndarray:
    """[R | t] of a camera that looks at the origin from a distance."""
    if motion == "forward":
        return np.column_stack([np.eye(3), [0, 0, distance]])
    angle = angle / 4 if motion == "none" else angle  # keeps the points in the image
    R = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return np.column_stack([R, R @ [0, 0, distance] if motion == "none" else [0, height, distance]])
