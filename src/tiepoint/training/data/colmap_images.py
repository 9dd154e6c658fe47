"""Images of a COLMAP reconstruction: their features, and the 3D point of each keypoint where it is known.

Together with the camera, these determine the ground truth of any pair, so tracks and depth maps are read once per
image. COLMAP's pixel convention is converted here, by `tiepoint.geometry.colmap`.
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
from tiepoint.geometry.ground_truth import POSITIVE_PX
from tiepoint.image import read_image
from tiepoint.io.batching import batched
from tiepoint.io.config import to_dict
from tiepoint.io.progress import ProgressCallback, no_progress, track
from tiepoint.io.validation import check_integer
from tiepoint.training.data.colmap_points import (
    count_shared_points,
    covisible_images,
    depth_maps_digest,
    observations,
    points_from_depth,
    points_from_tracks,
    read_depth_map,
    reconstruction_digest,
)
from tiepoint.training.data.deduplication import content_digest
from tiepoint.training.data.homographic_warps import SHARD_SIZE, no_keypoints
from tiepoint.types import Features

KIND = "images"
"""Kind of the records: one per image of the reconstruction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColmapConfig:
    """Settings of the features of a reconstruction's images, and of the choice of pairs.

    Attributes:
        resize: Longer image side in px that the extractor processes; smaller images are not enlarged.
        max_keypoints: Maximum number of keypoints per image, highest scores first.
        min_shared_points: Minimum number of 3D points that both images of a pair observe.

    Raises:
        InvalidInput: If a value is not a positive integer.
    """

    resize: int = 1024
    max_keypoints: int = 1024
    min_shared_points: int = 50

    def __post_init__(self) -> None:
        for name in self.__slots__:
            check_integer(name, getattr(self, name), 1)


class PosedImage(NamedTuple):
    """Features and geometry of an image of a reconstruction.

    Attributes:
        features: Features of the image.
        points: 3D point of each keypoint in world coordinates; NaN where unknown.
        rays: Keypoints on the normalized image plane (z = 1).
        cam_from_world: Camera pose, [R | t].
        camera: The `pycolmap.Camera`.
        scale: Pixels of the original image per pixel of the image that the extractor processed.
    """

    features: Features
    points: Float[np.ndarray, "n 3"]
    rays: Float[np.ndarray, "n 2"]
    cam_from_world: Float[np.ndarray, "3 4"]
    camera: Any
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CachedReconstruction:
    """A reconstruction with its images' features in a store.

    The key of an image is its name, "@", and the digest of its content.

    Attributes:
        store: Store with one record per image.
        pairs: Keys of the two images of each pair that shares enough points.
        covisible: Key of each image -> keys of the images that share at least one point with it.
        problems: Images that cannot be used, one line each.
    """

    store: Store
    pairs: tuple[tuple[str, str], ...]
    covisible: Mapping[str, frozenset[str]]
    problems: tuple[str, ...]

    def read(self, key: str) -> PosedImage:
        """Read one image from the store."""
        return posed_image_from_record(self.store.read(KIND, key))

    def non_covisible(self, key: str) -> list[str]:
        """Return the keys of the images that share no point with this one."""
        return [other for other in self.covisible if other != key and other not in self.covisible[key]]


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A reconstruction and its folders."""

    reconstruction: Any
    images: dict[str, Any]
    image_folder: Path
    depth_maps: Path | None


def cache_reconstruction(
    model: str | Path,
    images: str | Path,
    extractor: NeuralExtractor,
    folder: str | Path,
    config: ColmapConfig | None = None,
    *,
    depth_maps: str | Path | None = None,
    progress: ProgressCallback = no_progress,
) -> CachedReconstruction:
    """Extract the features of a reconstruction's images once, and find covisible pairs. Resumable.

    Args:
        model: Folder of the COLMAP model: cameras, images and points3D, binary or text.
        images: Folder of the images, with the names of the model.
        extractor: Extractor; the config replaces its maximum number of keypoints and its image size.
        folder: Folder of the store; new, empty, or created with the same model, extractor and config.
        config: Settings; None uses the defaults.
        depth_maps: Folder of COLMAP's depth maps of the same (undistorted) images, `stereo/depth_maps`. None:
            keypoints take the 3D points of nearby track observations.
        progress: Callback that shows the progress.

    Raises:
        InvalidInput: If the model cannot be read, no two images share enough points, or the store cannot be written.
        StoreError: If the folder holds other files, or features of other settings; the message shows the difference.
        MissingDependency: If pycolmap or h5py is not installed.
    """
    config = config or ColmapConfig()
    opened = _open_model(Path(model), Path(images), None if depth_maps is None else Path(depth_maps))
    store = Store(folder, _store_settings(Path(model), opened, extractor, config))
    keys, problems = _image_keys(opened)
    problems |= _extract_missing(opened, keys, extractor, config, store, progress)
    usable = {name: key for name, key in keys.items() if name not in problems}
    shared = count_shared_points(opened.reconstruction, usable)
    pairs = tuple(pair for pair, count in shared.items() if count >= config.min_shared_points)
    if not pairs:
        first = f" ({next(iter(problems.values()))})" if problems else ""
        raise InvalidInput(
            f"no two usable images of {model} share {config.min_shared_points} points{first}; "
            "lower min_shared_points, or use a larger reconstruction"
        )
    covisible = covisible_images(usable.values(), shared)
    return CachedReconstruction(
        store=store, pairs=pairs, covisible=covisible, problems=tuple(problems.values())
    )


def posed_image_to_record(image: PosedImage) -> dict[str, Any]:
    """Convert an image to a record; the camera becomes its model, size and parameters."""
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
    """Invert `posed_image_to_record`."""
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


def _open_model(model: Path, image_folder: Path, depth_maps: Path | None) -> _Model:
    reconstruction = read_reconstruction(model)
    images = {image.name: image for image in reconstruction.images.values() if image.has_pose}
    return _Model(reconstruction, images, image_folder, depth_maps)


def _store_settings(
    path: Path, model: _Model, extractor: NeuralExtractor, config: ColmapConfig
) -> dict[str, Any]:
    limited = _with_limits(extractor, config, config.resize)
    maps = model.depth_maps
    return {
        "model": reconstruction_digest(path),
        "extractor": limited.settings.kind,
        "features": limited.fingerprint,
        "depth_maps": None if maps is None else depth_maps_digest(maps, model.images),
        **to_dict(config),
    }


def _image_keys(model: _Model) -> tuple[dict[str, str], dict[str, str]]:
    """Return keys and problems, by image name."""
    keys, problems = {}, {}
    for name in sorted(model.images):
        path = model.image_folder / name
        try:
            keys[name] = f"{name}@{content_digest(path)}"
        except OSError as error:
            problems[name] = f"cannot read {path}: {error.strerror or error}"
    return keys, problems


def _extract_missing(
    model: _Model,
    keys: dict[str, str],
    extractor: NeuralExtractor,
    config: ColmapConfig,
    store: Store,
    progress: ProgressCallback,
) -> dict[str, str]:
    """Extract the features that are not in the store; return problems by image name."""
    names = {key: name for name, key in keys.items()}
    problems = {}
    missing = list(batched(store.missing(KIND, names), SHARD_SIZE))
    for batch in track(missing, "extracting features", progress):
        records = {}
        for key in batch:
            try:
                records[key] = posed_image_to_record(_extract(model, names[key], extractor, config))
            except InvalidInput as error:
                problems[names[key]] = str(error)
        if records:
            store.write(KIND, records)
    return problems


def _extract(model: _Model, name: str, extractor: NeuralExtractor, config: ColmapConfig) -> PosedImage:
    image = read_image(model.image_folder / name, stretch=extractor.settings.stretch)
    longer = max(image.image_size)
    resize = min(longer, config.resize)
    features = _with_limits(extractor, config, resize).extract(image)
    posed = model.images[name]
    _check_size(features, posed.camera, name)
    if len(features) == 0:
        raise InvalidInput(no_keypoints(model.image_folder / name))
    keypoints = colmap_keypoints(features).astype(np.float64)
    without_points = PosedImage(
        features=features,
        points=np.full((len(features), 3), np.nan),
        rays=posed.camera.cam_from_img(keypoints).reshape(-1, 2),
        cam_from_world=cam_from_world(posed),
        camera=posed.camera,
        scale=longer / resize,
    )
    return without_points._replace(points=_keypoint_points(model, name, without_points, keypoints))


def _keypoint_points(
    model: _Model, name: str, image: PosedImage, keypoints: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 3"]:
    """Return the 3D points of keypoints, from the depth map if there is one, otherwise from tracks."""
    depth = None if model.depth_maps is None else read_depth_map(model.depth_maps, name)
    if depth is None:
        observed, points3D = observations(model.images[name], model.reconstruction)
        return points_from_tracks(keypoints, observed, points3D, POSITIVE_PX * image.scale)
    size = (image.camera.width, image.camera.height)
    return points_from_depth(keypoints, image.rays, depth, size, image.cam_from_world)


def _with_limits(extractor: NeuralExtractor, config: ColmapConfig, resize: int) -> NeuralExtractor:
    settings = replace(extractor.settings, resize=resize, max_keypoints=config.max_keypoints)
    return extractor.with_settings(settings)


def _check_size(features: Features, camera: Any, name: str) -> None:
    width, height = raster_size(features.image_size, features.exif_orientation)
    if (camera.width, camera.height) != (width, height):
        raise InvalidInput(
            f"size mismatch: the reconstruction has {camera.width} x {camera.height} px for {name}, the file has "
            f"{width} x {height} px; use the images of the reconstruction"
        )
