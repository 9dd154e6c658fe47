"""Images of a finished reconstruction: their features, and the point in space of each keypoint where it is known.

With its camera, that is all that the truth of any pair needs, so tracks and depth maps are looked up once an image.
COLMAP's convention of pixels is met here, through `tiepoint.geometry.colmap`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.feature_store import Store
from tiepoint.feature_store.records import features_from_record, features_to_record
from tiepoint.geometry.colmap import (
    cam_from_world,
    colmap_keypoints,
    raster_size,
    read_reconstruction,
    require_pycolmap,
)
from tiepoint.image import read_image
from tiepoint.io.config import to_dict
from tiepoint.io.progress import Track, untracked
from tiepoint.training.data.colmap_points import (
    depth_maps_digest,
    model_digest,
    neighbors,
    observations,
    points_of_depth,
    points_of_tracks,
    read_depth_map,
    shared_points,
)
from tiepoint.training.data.deduplication import content_digest
from tiepoint.training.data.ground_truth import POSITIVE_PX
from tiepoint.training.data.homography_views import batches
from tiepoint.types import Features

KIND = "images"
"""Of records: one an image of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSettings:
    """Everything that decides what is kept of a model's images, and which of them make pairs.

    Attributes:
        size: longer side in px of the image that the extractor sees; smaller images are not enlarged.
        max_keypoints: of an image; the strongest are kept.
        min_shared_points: number of points in space that both images of a pair must see.

    Raises:
        InvalidInput: a value that isn't above 0.
    """

    size: int = 1024
    max_keypoints: int = 1024
    min_shared_points: int = 50

    def __post_init__(self) -> None:
        for name, value in to_dict(self).items():
            if value < 1:
                raise InvalidInput(f"{name} must be above 0, but is {value}")


class PosedImage(NamedTuple):
    """What is kept of an image of a model.

    `points` are where in the world its keypoints' things are, NaN where not known; `rays` are the keypoints on the plane
    z = 1 of the camera; `scale` is the side, in px of the photograph, of a px of the image that the extractor saw.
    """

    features: Features
    points: Float[np.ndarray, "n 3"]
    rays: Float[np.ndarray, "n 2"]
    cam_from_world: Float[np.ndarray, "3 4"]
    camera: Any
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CachedModel:
    """A reconstruction whose images' features are in a store.

    A key is the name of an image, "@", and the digest of its content.

    Attributes:
        store: with a record an image.
        pairs: keys of the two images of each pair that share enough points.
        neighbors: key of each image -> keys of those that share any point with it.
        problems: images that can't be used, one line each.
    """

    store: Store
    pairs: tuple[tuple[str, str], ...]
    neighbors: Mapping[str, frozenset[str]]
    problems: tuple[str, ...]

    def read(self, key: str) -> PosedImage:
        """One image."""
        return posed_image_from_record(self.store.read(KIND, key))

    def strangers(self, key: str) -> list[str]:
        """Keys of the images that share no point with this one."""
        return [other for other in self.neighbors if other != key and other not in self.neighbors[key]]


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A reconstruction, and the folders that belong to it."""

    reconstruction: Any
    images: dict[str, Any]
    photographs: Path
    depth_maps: Path | None


def cache_model(
    model: str | Path,
    photographs: str | Path,
    extractor: NeuralExtractor,
    folder: str | Path,
    settings: TrackSettings | None = None,
    *,
    depth_maps: str | Path | None = None,
    track: Track = untracked,
) -> CachedModel:
    """Extract the features of a model's images once, and find out what they show. Killed, it goes on where it was.

    Args:
        model: folder with cameras, images and points3D, as binary or text.
        photographs: folder in which the model's images are found by their names.
        extractor: its own number of keypoints and its resizing give way to those of the settings.
        folder: of the store; new, empty, or made with the same model, extractor and settings.
        settings: None: the defaults.
        depth_maps: folder of COLMAP's depth maps of the same (undistorted) images, `stereo/depth_maps`; None: keypoints
            take the points of tracks that are seen close to them.
        track: shows progress.

    Raises:
        InvalidInput: the model can't be read, no two images share enough points, or the store can't be written to.
        StoreError: the folder holds something else, or features of other settings or depth maps: the message shows the
            difference.
        MissingDependency: pycolmap or h5py isn't installed.
    """
    settings, depths = settings or TrackSettings(), None if depth_maps is None else Path(depth_maps)
    reconstruction = read_reconstruction(Path(model))
    images = {image.name: image for image in reconstruction.images.values() if image.has_pose}
    opened = _Model(reconstruction, images, Path(photographs), depths)
    of_whole = _limited(extractor, settings, settings.size)
    store = Store(
        folder,
        {
            "model": model_digest(Path(model)),
            "extractor": of_whole.settings.kind,
            "features": of_whole.fingerprint,
            "depth_maps": None if depths is None else depth_maps_digest(depths, images),
            **to_dict(settings),
        },
    )
    keys, problems = _find_images(opened)
    problems |= _extract_missing(opened, keys, extractor, settings, store, track)
    usable = {name: key for name, key in keys.items() if name not in problems}
    shared = shared_points(reconstruction, usable)
    pairs = tuple(pair for pair, count in shared.items() if count >= settings.min_shared_points)
    if not pairs:
        first = f", {next(iter(problems.values()))}" if problems else ""
        raise InvalidInput(
            f"no two usable images of {model} share {settings.min_shared_points} points{first}; "
            "ask for fewer, or take a larger model"
        )
    return CachedModel(
        store=store,
        pairs=pairs,
        neighbors=neighbors(usable.values(), shared),
        problems=tuple(problems.values()),
    )


def posed_image_to_record(image: PosedImage) -> dict[str, Any]:
    """The record of an image; a camera is its model, size and parameters."""
    camera = image.camera
    return {
        **features_to_record(image.features),
        "points": image.points,
        "rays": image.rays,
        "cam_from_world": image.cam_from_world,
        "camera_model": camera.model_name,
        "camera_params": np.asarray(camera.params, np.float64),
        "camera_width": camera.width,
        "camera_height": camera.height,
        "scale": image.scale,
    }


def posed_image_from_record(record: Mapping[str, Any]) -> PosedImage:
    """The inverse of `posed_image_to_record`."""
    camera = require_pycolmap().Camera(
        model=record["camera_model"],
        width=record["camera_width"],
        height=record["camera_height"],
        params=record["camera_params"],
    )
    return PosedImage(
        features=features_from_record(record),
        points=record["points"],
        rays=record["rays"],
        cam_from_world=record["cam_from_world"],
        camera=camera,
        scale=record["scale"],
    )


def _find_images(model: _Model) -> tuple[dict[str, str], dict[str, str]]:
    """Keys and problems, by the names of images."""
    keys, problems = {}, {}
    for name in sorted(model.images):
        path = model.photographs / name
        try:
            keys[name] = f"{name}@{content_digest(path)}"
        except OSError as error:
            problems[name] = f"can't read {path}: {error.strerror or error}"
    return keys, problems


def _extract_missing(
    model: _Model,
    keys: dict[str, str],
    extractor: NeuralExtractor,
    settings: TrackSettings,
    store: Store,
    track: Track,
) -> dict[str, str]:
    """Extract what the store lacks; problems come back by the names of images."""
    names = {key: name for name, key in keys.items()}
    problems = {}
    missing = store.missing(KIND, names)
    for batch in track(batches(missing), f"features of {len(missing)} images"):
        records = {}
        for key in batch:
            try:
                records[key] = posed_image_to_record(_pose(model, names[key], extractor, settings))
            except InvalidInput as error:
                problems[names[key]] = str(error)
        if records:
            store.write(KIND, records)
    return problems


def _pose(model: _Model, name: str, extractor: NeuralExtractor, settings: TrackSettings) -> PosedImage:
    image = model.images[name]
    photograph = read_image(model.photographs / name)
    longer = max(photograph.image_size)
    resize = min(longer, settings.size)
    features = _limited(extractor, settings, resize).extract(photograph)
    _check_size(features, image.camera, name)
    keypoints = colmap_keypoints(features).astype(np.float64)
    posed = PosedImage(
        features=features,
        points=np.full((len(features), 3), np.nan),
        rays=image.camera.cam_from_img(keypoints).reshape(-1, 2),
        cam_from_world=cam_from_world(image),
        camera=image.camera,
        scale=longer / resize,
    )
    return posed._replace(points=_points(model, name, posed, keypoints))


def _points(
    model: _Model, name: str, posed: PosedImage, keypoints: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 3"]:
    """By the depth map where there is one, else by tracks."""
    depth = None if model.depth_maps is None else read_depth_map(model.depth_maps, name)
    if depth is None:
        seen, points = observations(model.images[name], model.reconstruction)
        return points_of_tracks(keypoints, seen, points, POSITIVE_PX * posed.scale)
    size = (posed.camera.width, posed.camera.height)
    return points_of_depth(keypoints, posed.rays, depth, size, posed.cam_from_world)


def _limited(extractor: NeuralExtractor, settings: TrackSettings, resize: int) -> NeuralExtractor:
    limits = replace(extractor.settings, resize=resize, max_keypoints=settings.max_keypoints)
    return NeuralExtractor(extractor.network, limits)


def _check_size(features: Features, camera: Any, name: str) -> None:
    width, height = raster_size(features.image_size, features.exif_orientation)
    if (camera.width, camera.height) != (width, height):
        raise InvalidInput(
            f"the model is of {camera.width} x {camera.height} px, but {name} has {width} x {height}; was it resized?"
        )
