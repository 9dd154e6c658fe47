"""reconstruct: COLMAP's mapper on a collection, and a summary of the model."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from tiepoint.collection.collection import Collection, as_collection
from tiepoint.collection.export.colmap_database import FOLDER, CameraSharing, export_colmap
from tiepoint.collection.sfm.mapper import MapperRun
from tiepoint.collection.sfm.mapper_options import Mapper
from tiepoint.collection.sfm.mapping import MappingOptions, known_cameras, refine_run, run_mapping
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import read_reconstruction, require_pycolmap
from tiepoint.io.folders import replace_folder, restore_folder
from tiepoint.io.serialization import write_json
from tiepoint.types import Camera

SPARSE, SUMMARY = "sparse", "reconstruction.json"
"""In COLMAP's folder: the models, the largest one in `sparse/0`; and the summary of the largest model."""

SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """Summary of a reconstruction; if it failed, the reason.

    Attributes:
        folder: Folder of the model in COLMAP's binary format; None if there is no model.
        images: Number of input images.
        registered: Number of registered images.
        unregistered: Names of the other images.
        points: Number of 3D points.
        mean_track_length: Mean number of observations per 3D point.
        mean_reprojection_error_px: Mean reprojection error in px.
        models: Number of models; if there are several, the largest one is described.
        seconds: Duration of the mapper in s.
        reason: Reason of the failure; "" on success.
        initialization: Initialization that resulted in the model: COLMAP's default, a relaxed one, or an initial pair.
        attempts: Initializations that were tried, in order; several if the first ones had no model, or a small one.
    """

    folder: Path | None
    images: int
    registered: int = 0
    unregistered: tuple[str, ...] = ()
    points: int = 0
    mean_track_length: float = 0.0
    mean_reprojection_error_px: float = 0.0
    models: int = 0
    seconds: float = 0.0
    reason: str = ""
    initialization: str = ""
    attempts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        if not self.success:
            return f"Reconstruction(failed: {self.reason})"
        return (
            f"Reconstruction({self.registered} of {self.images} images, {self.points:,} points, "
            f"{self.mean_reprojection_error_px:.2f} px)"
        )

    @property
    def success(self) -> bool:
        """Whether there is a model."""
        return self.folder is not None


def reconstruct(
    collection: Collection | str | os.PathLike[str],
    *,
    cameras: CameraSharing = "shared",
    threads: int | None = 1,
    seed: int = SEED,
    mapper: Mapper = "incremental",
    mapper_options: Mapping[str, Any] | None = None,
    use_priors: bool = False,
    intrinsics: Camera | None = None,
    poses: str | os.PathLike[str] | None = None,
    refine_poses: bool = False,
    refine_keypoints: bool = False,
) -> Reconstruction:
    """Estimate the poses of all images of a collection and the 3D points with COLMAP's mapper.

    Writes `colmap/database.db`, the models in `colmap/sparse/0`, `1` …, largest first, and the summary in
    `colmap/reconstruction.json`. An existing model and its summary are replaced only by a new model: if the mapper fails,
    they are kept.

    If no model results, or a small one, the incremental mapper runs again with a relaxed initialization (for forward motion and small
    baselines), then from the pairs with the most inliers.

    Args:
        collection: Matched and verified collection from `open_collection`, or its output folder; missing data is left out
            with a warning.
        cameras: Camera sharing, as for `export_colmap`.
        threads: Number of threads of the mapper; None for all cores. Only one thread gives bit-identical results, because
            several threads sum in varying order.
        seed: Random seed of RANSAC.
        mapper: "incremental", or "global": all poses at once, faster for thousands of images. Focal lengths without a
            prior are then calibrated from the view graph first.
        mapper_options: Options of `pycolmap.IncrementalPipelineOptions` (or `GlobalPipelineOptions`) by name, such as
            {"init_max_forward_motion": 1.0}; options of its groups may be given with the group ("mapper.init_max_error")
            or without.
        use_priors: Whether the GPS positions of the EXIF data take part in bundle adjustment. The model is then in
            meters, x to the east, y to the north and z upwards, with the first image's position as origin.
        intrinsics: Known camera of all images, which is not refined.
        poses: Known poses: nerfstudio's transforms.json, COLMAP's images.txt, or the folder of a model. Points are
            triangulated from the matches, and the other images are registered. Intrinsics in the file are not refined.
        refine_poses: Whether bundle adjustment refines the known poses; otherwise they are kept exactly.
        refine_keypoints: Whether the observed keypoints are aligned to each other along their tracks in the images at full
            resolution, each time followed by a bundle adjustment: more accurate, and the images are read again.

    Returns:
        The summary; without a folder, and with a reason, if there is no suitable initial pair.

    Raises:
        InvalidInput: If the folder is not a collection, no image has features, an option is invalid, or a file cannot be
            written.
        MissingDependency: If pycolmap is not installed.

    Example:
        >>> reconstruction = tiepoint.reconstruct("out/")
        >>> reconstruction.registered, reconstruction.points, reconstruction.mean_reprojection_error_px
    """
    options = MappingOptions(
        mapper=mapper,
        mapper_options=dict(mapper_options or {}),
        use_priors=use_priors,
        intrinsics=intrinsics,
        poses=poses,
        refine_poses=refine_poses,
        refine_keypoints=refine_keypoints,
        threads=threads,
        seed=seed,
    )
    opened = as_collection(collection)
    known = options.read_poses([image.name for image in opened.images])
    database = export_colmap(opened, cameras=cameras, known_cameras=known_cameras(opened, options, known))

    def run(output: Path) -> MapperRun:
        found = run_mapping(opened, database, image_folder(opened), output, options, known)
        if options.refine_keypoints:
            refine_run(opened, found, options, known)
        return found

    return replace_model(opened, database, run)


def replace_model(collection: Collection, database: Path, run: Callable[[Path], MapperRun]) -> Reconstruction:
    """Run a mapper, and replace the model and its summary if there is a new one.

    Args:
        collection: Collection of the database.
        database: COLMAP database.
        run: Runs the mapper with an existing empty folder.

    Returns:
        Summary of the run.
    """
    sparse, start = database.parent / SPARSE, perf_counter()
    with _temporary_folder(sparse) as output:
        found = run(output)
        if found.models:
            _sort_models(found.folder, found.models)
            replace_folder(found.folder, sparse)
    summary = _summarize(collection, database.parent, found, perf_counter() - start)
    if summary.success or not sparse.exists():
        write_summary(summary, database.parent / SUMMARY)
    return summary


def has_model(collection: Collection) -> bool:
    """Return whether a collection is reconstructed.

    Args:
        collection: Collection from `open_collection`.
    """
    return _model_folder(collection).is_dir()


def read_model(collection: Collection) -> Any:
    """Return the largest model of a reconstructed collection as a `pycolmap.Reconstruction`.

    Args:
        collection: Collection from `open_collection`.

    Raises:
        InvalidInput: If there is no model, or it is damaged.
        MissingDependency: If pycolmap is not installed.
    """
    require_pycolmap()
    if not has_model(collection):
        raise InvalidInput(
            f"{collection.folder} has no reconstruction; run: tiepoint collection run … --reconstruct"
        )
    return read_reconstruction(_model_folder(collection))


def _model_folder(collection: Collection) -> Path:
    return collection.folder / FOLDER / SPARSE / "0"


def write_summary(summary: Reconstruction, path: Path) -> None:
    """Write a summary as JSON, atomically.

    Args:
        summary: Summary of the reconstruction.
        path: Output file.
    """
    folder = None if summary.folder is None else str(summary.folder)
    write_json(asdict(summary) | {"folder": folder}, path, allow_nan=True)


def image_folder(collection: Collection) -> Path:
    """Return the folder that image names are relative to.

    Args:
        collection: Collection with at least one image.
    """
    first = collection.images[0]
    return first.path.parents[first.name.count("/")]


def _sort_models(sparse: Path, models: Mapping[int, Any]) -> None:
    """Renumber the folders of the models by decreasing size; COLMAP numbers them in order of creation."""
    for number in models:
        (sparse / str(number)).rename(sparse / f"unsorted-{number}")
    for rank, number in enumerate(_by_size(models)):
        (sparse / f"unsorted-{number}").rename(sparse / str(rank))


def _by_size(models: Mapping[int, Any]) -> list[int]:
    return sorted(models, key=lambda n: (models[n].num_reg_images(), models[n].num_points3D()), reverse=True)


def _summarize(collection: Collection, folder: Path, run: MapperRun, seconds: float) -> Reconstruction:
    names = [image.name for image in collection.images]
    attempts = tuple(map(str, run.attempts))
    if not run.models:
        return Reconstruction(
            folder=None,
            images=len(names),
            unregistered=tuple(names),
            seconds=seconds,
            reason=_reason(folder / SPARSE, attempts),
            attempts=attempts,
        )
    model = run.models[_by_size(run.models)[0]]
    registered = {model.image(image_id).name for image_id in model.reg_image_ids()}
    return Reconstruction(
        folder=folder / SPARSE / "0",
        images=len(names),
        registered=len(registered),
        unregistered=tuple(name for name in names if name not in registered),
        points=model.num_points3D(),
        mean_track_length=model.compute_mean_track_length(),
        mean_reprojection_error_px=model.compute_mean_reprojection_error(),
        models=len(run.models),
        seconds=seconds,
        initialization=str(run.best),
        attempts=attempts,
    )


def _reason(sparse: Path, attempts: tuple[str, ...]) -> str:
    kept = f"; the model of an earlier run is kept in {sparse}" if sparse.exists() else ""
    if attempts[0].startswith("known poses"):
        return f"no point could be triangulated: the matches do not fit the known poses; check their convention{kept}"
    if attempts[0].startswith("global"):
        return f"the global mapper found no model; match more pairs, or use the incremental mapper{kept}"
    cause = (
        "no two images have enough inlier matches and a sufficient triangulation angle; match more pairs, or check for wrong "
        "focal lengths"
        if len(attempts) > 1
        else "every pair shows a pure rotation or a planar scene, or has too few inlier matches; move the camera between "
        "images, or match more pairs"
    )
    return f"no suitable initial pair in {_count(attempts)}: {cause}{kept}"


def _count(attempts: tuple[str, ...]) -> str:
    return f"{len(attempts)} attempts, with relaxed initialization" if len(attempts) > 1 else "1 attempt"


@contextmanager
def _temporary_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder next to `path`, and remove it afterwards; first finish an interrupted replacement."""
    restore_folder(path)
    temporary = path.with_name(f".tiepoint-{secrets.token_hex(8)}")
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
