"""A 3D model from hloc's files, by COLMAP's incremental mapper."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.collection.sfm.mapper import MapperRun, run_mapper
from tiepoint.compat.hloc.files import opened, read_features, read_matches, read_names, read_pairs
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import HALF_PIXEL, quiet_pycolmap, require_pycolmap
from tiepoint.io.folders import staged_files
from tiepoint.io.messages import unknown_name

DATABASE = "database.db"
SEED = 0


def main(
    sfm_dir: Path,
    image_dir: Path,
    pairs: Path,
    features: Path,
    matches: Path,
    camera_mode: Any = "AUTO",
    verbose: bool = False,
    skip_geometric_verification: bool = False,
    min_match_score: float | None = None,
    image_list: Iterable[str] | None = None,
    image_options: Mapping[str, Any] | None = None,
    mapper_options: Mapping[str, Any] | None = None,
) -> Any:
    """Reconstruct a scene: write a COLMAP database, verify the matches, and run the mapper.

    If no pair initializes a model, the mapper runs again with relaxed limits, as in `tiepoint.reconstruct`.

    Args:
        sfm_dir: Output folder: `database.db`, and the largest model.
        image_dir: Folder that image names are relative to.
        pairs: Text file with two image names per line.
        features: Feature file.
        matches: Match file.
        camera_mode: Camera sharing, a `pycolmap.CameraMode` or its name: "AUTO", "SINGLE", "PER_FOLDER" or "PER_IMAGE".
        verbose: Show COLMAP's log.
        skip_geometric_verification: Take all matches for inliers.
        min_match_score: Minimum score (exclusive) of a match; None takes all.
        image_list: Names of the images; None takes those of `pairs`.
        image_options: Options of `pycolmap.ImageReaderOptions` by name, such as {"camera_model": "PINHOLE"}.
        mapper_options: Options of `pycolmap.IncrementalPipelineOptions` by name.

    Returns:
        The largest model as `pycolmap.Reconstruction`; None if there is none.

    Raises:
        InvalidInput: If a file cannot be read or written, an image has no features, or an option is invalid.
        MissingDependency: If pycolmap or h5py is not installed.
    """
    pycolmap, folder = require_pycolmap(), Path(sfm_dir)
    folder.mkdir(parents=True, exist_ok=True)
    selected = read_pairs(Path(pairs))
    names = (
        sorted({name for pair in selected for name in pair}) if image_list is None else read_names(image_list)
    )
    with staged_files(folder) as staging:
        database = staging / DATABASE
        with quiet_pycolmap(silent=not verbose):
            with pycolmap.Database.open(str(database)):
                pass  # created empty
            options = pycolmap.ImageReaderOptions(**(image_options or {}))
            pycolmap.import_images(str(database), str(image_dir), _mode(camera_mode), names, options)
            _write_data(database, selected, Path(features), Path(matches), min_match_score)
            _verify(database, Path(pairs), skip=skip_geometric_verification)
        models = staging / "models"
        models.mkdir()
        run = run_mapper(
            database, Path(image_dir), models, threads=1, seed=SEED, options=dict(mapper_options or {})
        )
        return _keep_largest(run, staging)


def _mode(camera_mode: Any) -> Any:
    modes = require_pycolmap().CameraMode.__members__
    name = getattr(camera_mode, "name", camera_mode)
    if name not in modes:
        raise InvalidInput(unknown_name("camera_mode", name, modes))
    return modes[name]


def _write_data(
    database: Path,
    pairs: list[tuple[str, str]],
    features_path: Path,
    matches_path: Path,
    min_match_score: float | None,
) -> None:
    """Write keypoints and matches to the database."""
    with (
        require_pycolmap().Database.open(str(database)) as file,
        opened(features_path) as features,
        opened(matches_path) as matches,
    ):
        ids = {image.name: image.image_id for image in file.read_all_images()}
        for name, image_id in ids.items():
            file.write_keypoints(
                image_id, read_features(features, name).keypoints.numpy() + np.float32(HALF_PIXEL)
            )
        for name0, name1 in pairs:
            _check_imported(ids, name0, name1)
            indices, scores = read_matches(matches, name0, name1)
            kept = indices if min_match_score is None else indices[scores > min_match_score]
            file.write_matches(ids[name0], ids[name1], kept.astype(np.uint32))


def _check_imported(ids: Mapping[str, int], *names: str) -> None:
    for name in names:
        if name not in ids:
            raise InvalidInput(f"{name} is in the list of pairs, but COLMAP did not read it; check image_dir")


def _verify(database: Path, pairs: Path, *, skip: bool) -> None:
    pycolmap = require_pycolmap()
    if not skip:
        options = pycolmap.TwoViewGeometryOptions()
        options.ransac.random_seed = SEED
        pycolmap.verify_matches(str(database), str(pairs), options)
        return
    with pycolmap.Database.open(str(database)) as file:
        ids, matches = file.read_all_matches()
        for pair_id, inliers in zip(ids, matches, strict=True):
            geometry = pycolmap.TwoViewGeometry(
                config=pycolmap.TwoViewGeometryConfiguration.UNCALIBRATED, inlier_matches=inliers
            )
            file.write_two_view_geometry(*pycolmap.pair_id_to_image_pair(pair_id), geometry)


def _keep_largest(run: MapperRun, staging: Path) -> Any:
    """Move the files of the largest model to the output folder, and remove the others."""
    largest = max(run.models, key=lambda number: run.models[number].num_reg_images(), default=None)
    if largest is not None:
        for path in sorted((run.folder / str(largest)).iterdir()):
            shutil.move(path, staging / path.name)
    shutil.rmtree(staging / "models")
    return None if largest is None else run.models[largest]
