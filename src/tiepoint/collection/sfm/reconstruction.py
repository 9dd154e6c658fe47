"""reconstruct: COLMAP's incremental mapper over a collection, and what came out of it in a few numbers."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.export.colmap_database import FOLDER, CameraSharing, export_colmap
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import quiet_pycolmap, require_pycolmap
from tiepoint.io.atomic import atomic_write

SPARSE, SUMMARY = "sparse", "reconstruction.json"
"""In COLMAP's folder: models, the largest one in `sparse/0`; and what is known of that."""

FORMER = "-former"
"""What is added to the name of a folder of models while a new one takes its place."""

SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """What the mapper made of a collection, in a few numbers; a failure is one too, with the reason.

    Attributes:
        folder: of the model in COLMAP's binary format; None: there is none.
        images: photographs that were given.
        registered: photographs whose pose was found.
        unregistered: the names of the others.
        points: 3-D points.
        mean_track_length: photographs in which a point is seen, on average.
        mean_reprojection_error_px: between keypoints and points, on average.
        models: how many models there are; where there are several, the largest one is described.
        seconds: of the mapper alone.
        reason: why there is no model, in words; "" where there is one.
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
) -> Reconstruction:
    """Find where every photograph of a collection was taken, and the points that they see, with COLMAP's mapper.

    Writes `colmap/database.db` anew, the models into `colmap/sparse/0`, `1` …, the largest first, and the numbers into
    `colmap/reconstruction.json`; a model that was there is replaced when the new one stands.

    Args:
        collection: its output folder, or from `open_collection`; its pairs have been matched and verified. What it
            lacks is told and left out.
        cameras: as for `export_colmap`.
        threads: of the mapper; None: all cores. Sums of several threads have no order, so only 1 gives the same
            bits every time.
        seed: of RANSAC's samples.

    Returns:
        The numbers; without a folder, and with a reason, where no two photographs could be a beginning.

    Raises:
        InvalidInput: no such collection, no photograph with features, or a file can't be written.
        MissingDependency: pycolmap isn't installed.

    Example:
        >>> found = tiepoint.reconstruct("out/")
        >>> found.registered, found.points, found.mean_reprojection_error_px
    """
    opened = open_collection(collection) if isinstance(collection, str | os.PathLike) else collection
    database = export_colmap(opened, cameras=cameras)
    start = perf_counter()
    with _new_folder(database.parent / SPARSE) as sparse:
        models = _map(database, _photo_folder(opened), sparse, threads, seed)
        _sort_models(sparse, models)
    found = _summary(opened, database.parent, models, perf_counter() - start)
    write_summary(found, database.parent / SUMMARY)
    return found


def read_model(collection: Collection) -> Any:
    """The largest model of a reconstructed collection, a `pycolmap.Reconstruction`.

    Raises:
        InvalidInput: there is none, or it is damaged.
        MissingDependency: pycolmap isn't installed.
    """
    pycolmap = require_pycolmap()
    folder = collection.folder / FOLDER / SPARSE / "0"
    if not folder.is_dir():
        raise InvalidInput(
            f"{collection.folder} has no reconstruction; make one: tiepoint collection run … --reconstruct"
        )
    try:
        with quiet_pycolmap():
            return pycolmap.Reconstruction(str(folder))
    except (RuntimeError, ValueError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidInput(
            f"{folder} is no model that COLMAP can read ({reason}); reconstruct again"
        ) from error


def write_summary(found: Reconstruction, path: Path) -> None:
    """As JSON, whole or not at all."""
    values = asdict(found) | {"folder": None if found.folder is None else str(found.folder)}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _map(database: Path, photographs: Path, sparse: Path, threads: int | None, seed: int) -> dict[int, Any]:
    pycolmap = require_pycolmap()
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = -1 if threads is None else threads
    options.random_seed = seed
    with quiet_pycolmap():
        return pycolmap.incremental_mapping(str(database), str(photographs), str(sparse), options)


def _photo_folder(collection: Collection) -> Path:
    """What the names of the photographs are relative to."""
    first = collection.photographs[0]
    return first.path.parents[first.name.count("/")]


def _sort_models(sparse: Path, models: dict[int, Any]) -> None:
    """Number the folders of the models by their size, the largest 0; COLMAP numbers them as they come."""
    for number in models:
        (sparse / str(number)).rename(sparse / f"found-{number}")
    for place, number in enumerate(_by_size(models)):
        (sparse / f"found-{number}").rename(sparse / str(place))


def _by_size(models: dict[int, Any]) -> list[int]:
    return sorted(models, key=lambda n: (models[n].num_reg_images(), models[n].num_points3D()), reverse=True)


def _summary(collection: Collection, folder: Path, models: dict[int, Any], seconds: float) -> Reconstruction:
    names = [photograph.name for photograph in collection.photographs]
    if not models:
        return Reconstruction(
            folder=None,
            images=len(names),
            unregistered=tuple(names),
            seconds=seconds,
            reason="no two photographs have enough verified matches at a wide enough angle to begin with",
        )
    model = models[_by_size(models)[0]]
    registered = {model.image(number).name for number in model.reg_image_ids()}
    return Reconstruction(
        folder=folder / SPARSE / "0",
        images=len(names),
        registered=len(registered),
        unregistered=tuple(name for name in names if name not in registered),
        points=model.num_points3D(),
        mean_track_length=model.compute_mean_track_length(),
        mean_reprojection_error_px=model.compute_mean_reprojection_error(),
        models=len(models),
        seconds=seconds,
    )


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """Hand out an empty folder beside `path`; when the block ends well, it takes the place of what stood there.

    What stood there bears another name until then: whoever is killed in between leaves both, and the next one puts the
    former folder back before it begins.
    """
    temporary = path.with_name(f".tiepoint-{secrets.token_hex(8)}")
    former = path.with_name(f"{path.name}{FORMER}")
    if former.is_dir() and not path.exists():
        former.rename(path)
    temporary.mkdir()
    try:
        yield temporary
        shutil.rmtree(former, ignore_errors=True)
        if path.exists():
            path.rename(former)
        temporary.rename(path)
        shutil.rmtree(former, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
