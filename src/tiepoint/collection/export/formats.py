"""EXPORTS: table of all export formats; and the two plain formats: one NPZ file per pair, one Parquet table.

Both plain formats keep tiepoint's convention: (x, y) in px of the upright image, center of the top-left pixel at (0, 0).
"""

import json
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.alicevision import export_alicevision
from tiepoint.collection.export.bundler import export_bundler
from tiepoint.collection.export.colmap_database import CameraSharing, export_colmap
from tiepoint.collection.export.colmap_text import export_colmap_text
from tiepoint.collection.export.hloc import export_hloc
from tiepoint.collection.export.metashape import export_metashape
from tiepoint.collection.export.nerfstudio import export_nerfstudio
from tiepoint.collection.export.openmvg import export_openmvg
from tiepoint.collection.export.opensfm import export_opensfm
from tiepoint.collection.export.output_paths import make_output_folder, output_file
from tiepoint.collection.export.ply import export_ply
from tiepoint.collection.export.positions import export_geojson, export_kml
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write
from tiepoint.io.batching import batched
from tiepoint.io.folders import staged_files
from tiepoint.io.messages import unknown_name
from tiepoint.io.optional import import_optional
from tiepoint.io.serialization import write_arrays

Exporter: TypeAlias = Callable[[Collection, str | os.PathLike[str] | None], Path]
"""Function of a collection and an output path (None for the default) that returns the output path."""

INDEX = "pairs.jsonl"
PAIRS_PER_ROW_GROUP = 256
"""Pairs per row group of a Parquet file, which are in memory together."""

CACHE_SIZE = 64
"""Images whose keypoints are kept in memory while pairs are written; consecutive pairs share images."""


def export_npz(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write one NumPy file per pair, and `pairs.jsonl` with the file and the image names, one line per pair.

    The file `3/17.npz` belongs to the third and the 17th image. It contains image0, image1 (names), image_size0, …1,
    exif_orientation0, …1, matches (k, 2), scores (k,), points0 and points1 (k, 2) in px; for verified pairs also inliers
    (k,) bool, and the fundamental matrix if there is one.

    Args:
        collection: Collection from `open_collection`; missing data is left out with a warning.
        folder: Output folder, created if needed. None: `exports/npz` in the collection's folder.

    Returns:
        The output folder.

    Raises:
        InvalidInput: If a file cannot be written.
    """
    warn_incomplete(collection)
    target = make_output_folder(folder, collection.folder / "exports" / "npz")
    numbers = {image.name: number for number, image in enumerate(collection.images, start=1)}
    with staged_files(target) as staging, (staging / INDEX).open("w", encoding="utf-8") as index:
        for contents in _read_pairs(collection):
            name0, name1 = contents["image0"], contents["image1"]
            file = f"{numbers[name0]}/{numbers[name1]}.npz"
            make_output_folder(None, (staging / file).parent)
            write_arrays(contents, staging / file)
            line = {"file": file, "image0": name0, "image1": name1, "matches": len(contents["matches"])}
            index.write(json.dumps(line, ensure_ascii=False) + "\n")
    return target


def export_parquet(collection: Collection, file: str | os.PathLike[str] | None = None) -> Path:
    """Write a Parquet table, one row per match: image0, image1, index0, index1, x0, y0, x1, y1, score, inlier.

    Args:
        collection: Collection from `open_collection`; missing data is left out with a warning.
        file: Output file. None: `exports/matches.parquet` in the collection's folder.

    Returns:
        The output file. The column `inlier` is null for pairs that are not verified.

    Raises:
        InvalidInput: If the file cannot be written.
        MissingDependency: If pyarrow is not installed.
    """
    pa = _pyarrow()
    warn_incomplete(collection)
    path = output_file(file, collection.folder / "exports" / "matches.parquet")
    schema = _schema(pa)
    with (
        atomic_write(path) as temporary,
        temporary.open("wb") as stream,  # pyarrow accepts only file names in UTF-8
        pa.parquet.ParquetWriter(stream, schema) as writer,
    ):
        for group in batched(_read_pairs(collection), PAIRS_PER_ROW_GROUP):
            batches = [pa.record_batch(_columns(contents), schema=schema) for contents in group]
            writer.write_table(pa.Table.from_batches(batches, schema).combine_chunks())
    return path


MATCH_EXPORTS: dict[str, Exporter] = {
    "colmap": export_colmap,
    "colmap-text": export_colmap_text,
    "hloc": export_hloc,
    "npz": export_npz,
    "parquet": export_parquet,
    "opensfm": export_opensfm,
}
"""Name of a format -> function that writes features and matches; "opensfm" writes the reconstruction, too, if there is one."""

MODEL_EXPORTS: dict[str, Exporter] = {
    "nerfstudio": export_nerfstudio,
    "bundler": export_bundler,
    "metashape": export_metashape,
    "openmvg": export_openmvg,
    "alicevision": export_alicevision,
    "ply": export_ply,
}
"""Name of a format -> function that writes the reconstruction, which there must be."""

POSITION_EXPORTS: dict[str, Exporter] = {"geojson": export_geojson, "kml": export_kml}
"""Name of a format -> function that writes the GPS positions of the images."""

EXPORTS = MATCH_EXPORTS | MODEL_EXPORTS | POSITION_EXPORTS
"""Name of a format -> function that writes it."""


def export_as(
    collection: Collection,
    format_name: str,
    output: str | os.PathLike[str] | None = None,
    *,
    cameras: CameraSharing | None = None,
) -> Path:
    """Export a collection in one of the formats of `EXPORTS`.

    Args:
        collection: Collection from `open_collection`; missing data is left out with a warning.
        format_name: Name of a row of `EXPORTS`; those of `MODEL_EXPORTS` need a reconstruction, those of
            `POSITION_EXPORTS` GPS positions.
        output: Output file (colmap, parquet, ply, geojson, kml) or folder; None for the default in the collection's
            folder.
        cameras: Camera sharing of the format "colmap", see `export_colmap`; None for its default.

    Returns:
        The output path.

    Raises:
        InvalidInput: If the format is unknown or does not have the option, or a file cannot be written.
        MissingDependency: If a library that the format needs is not installed.
    """
    if format_name not in EXPORTS:
        raise InvalidInput(unknown_name("export format", format_name, EXPORTS))
    if cameras is None:
        return EXPORTS[format_name](collection, output)
    if format_name != "colmap":
        raise InvalidInput(f"cameras is an option of colmap only, got it with {format_name!r}; omit it")
    return export_colmap(collection, output, cameras=cameras)


def _read_pairs(collection: Collection) -> Iterator[dict[str, Any]]:
    """Yield the exported fields of each pair by name."""
    image_fields = lru_cache(CACHE_SIZE)(lambda name: _image_fields(collection, name))
    for name0, name1 in collection.pairs():
        matches, scores = collection.matches(name0, name1)
        estimate = collection.geometry(name0, name1)
        images = [image_fields(name) for name in (name0, name1)]
        yield {
            "image0": name0,
            "image1": name1,
            **{
                f"{field}{side}": images[side][field]
                for side in (0, 1)
                for field in ("image_size", "exif_orientation")
            },
            "matches": matches,
            "scores": scores,
            **{f"points{side}": images[side]["keypoints"][matches[:, side]] for side in (0, 1)},
            "inliers": None if estimate is None else estimate.inliers,
            "fundamental": None if estimate is None else estimate.fundamental,
        }


def _image_fields(collection: Collection, name: str) -> dict[str, Any]:
    features = collection.features(name)
    return {
        "keypoints": features.keypoints.float().cpu().numpy(),
        "image_size": list(features.image_size),
        "exif_orientation": features.exif_orientation,
    }


def _schema(pa: ModuleType) -> Any:
    name = pa.dictionary(pa.int32(), pa.string())  # each name is stored once per row group
    types = {"image0": name, "image1": name, "index0": pa.int32(), "index1": pa.int32()}
    types |= dict.fromkeys(("x0", "y0", "x1", "y1", "score"), pa.float32())
    return pa.schema(types | {"inlier": pa.bool_()})


def _columns(contents: dict[str, Any]) -> list[Any]:
    """Return the columns of one pair in the order of the schema."""
    pa = _pyarrow()
    count = len(contents["matches"])
    indices = pa.array(np.zeros(count, np.int32))
    names = [pa.DictionaryArray.from_arrays(indices, [contents[name]]) for name in ("image0", "image1")]
    inliers = [None] * count if contents["inliers"] is None else contents["inliers"]
    return [
        *names,
        *contents["matches"].T,
        *contents["points0"].T,
        *contents["points1"].T,
        contents["scores"],
        pa.array(inliers, pa.bool_()),
    ]


def _pyarrow() -> ModuleType:
    import_optional("pyarrow.parquet", purpose="export to Parquet", install="tiepoint[collection]")
    return import_optional("pyarrow", purpose="export to Parquet", install="tiepoint[collection]")
