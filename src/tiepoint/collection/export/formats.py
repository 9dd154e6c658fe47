"""EXPORTS: everything that a collection can be written as; and the two plain forms, an NPZ a pair and a Parquet table.

Both keep tiepoint's own convention: (x, y) in px of the upright photograph, the center of its top-left pixel at (0, 0).
"""

import json
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.colmap_database import export_colmap
from tiepoint.collection.export.colmap_text import export_colmap_text
from tiepoint.collection.export.hloc import export_hloc
from tiepoint.collection.export.targets import make_output_folder, output_file
from tiepoint.collection.run.completeness import warn_incomplete
from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.io.atomic import atomic_write
from tiepoint.io.serialization import write_arrays

Exporter: TypeAlias = Callable[..., Path]
"""(collection, destination or None) -> what was written."""

INDEX = "pairs.jsonl"
PAIRS_PER_ROW_GROUP = 256
"""Pairs in a row group of a Parquet file: what is held in memory at a time."""

CACHE_SIZE = 64
"""Whose keypoints are kept in memory while pairs are written; pairs of one block of photographs follow each other."""


def export_npz(collection: Collection, folder: str | os.PathLike[str] | None = None) -> Path:
    """Write one NumPy file a pair, and `pairs.jsonl`, a line a pair: the file and the names of its photographs.

    A file `3/17.npz` is of the third and the 17th photograph. It holds image0, image1 (names), image_size0, …1,
    exif_orientation0, …1, matches (k, 2), scores (k,), points0 and points1 (k, 2) px; and where the pair was verified,
    inliers (k,) bool, and the fundamental matrix where there is one.

    Args:
        collection: from `open_collection`; what it lacks is told and left out.
        folder: where to; made where it doesn't exist. None: `exports/npz` in the collection's folder.

    Returns:
        The folder.

    Raises:
        InvalidInput: a file can't be written.
    """
    warn_incomplete(collection)
    target = make_output_folder(folder, collection.folder / "exports" / "npz")
    numbers = {photograph.name: place for place, photograph in enumerate(collection.photographs, start=1)}
    with atomic_write(target / INDEX) as temporary, temporary.open("w", encoding="utf-8") as index:
        for contents in _pairs(collection):
            name0, name1 = contents["image0"], contents["image1"]
            file = f"{numbers[name0]}/{numbers[name1]}.npz"
            make_output_folder(None, (target / file).parent)
            write_arrays(contents, target / file)
            line = {"file": file, "image0": name0, "image1": name1, "matches": len(contents["matches"])}
            index.write(json.dumps(line, ensure_ascii=False) + "\n")
    return target


def export_parquet(collection: Collection, file: str | os.PathLike[str] | None = None) -> Path:
    """Write a table with a row a match, in Parquet: image0, image1, index0, index1, x0, y0, x1, y1, score, inlier.

    Args:
        collection: from `open_collection`; what it lacks is told and left out.
        file: where to. None: `exports/matches.parquet` in the collection's folder.

    Returns:
        The path. `inlier` is null in pairs that weren't verified.

    Raises:
        InvalidInput: it can't be written.
        MissingDependency: pyarrow isn't installed.
    """
    pa = _pyarrow()
    warn_incomplete(collection)
    path = output_file(file, collection.folder / "exports" / "matches.parquet")
    schema = _schema(pa)
    with (
        atomic_write(path) as temporary,
        temporary.open("wb") as stream,  # pyarrow takes only names that are UTF-8
        pa.parquet.ParquetWriter(stream, schema) as writer,
    ):
        pairs = _pairs(collection)
        while group := list(islice(pairs, PAIRS_PER_ROW_GROUP)):
            batches = [pa.record_batch(_columns(contents), schema=schema) for contents in group]
            writer.write_table(pa.Table.from_batches(batches, schema).combine_chunks())
    return path


EXPORTS: dict[str, Exporter] = {
    "colmap": export_colmap,
    "colmap-text": export_colmap_text,
    "hloc": export_hloc,
    "npz": export_npz,
    "parquet": export_parquet,
}
"""Name of a format -> what writes it."""


def export_as(
    collection: Collection,
    form: str,
    destination: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Path:
    """Write a collection in one of the formats of `EXPORTS`.

    Args:
        collection: from `open_collection`; what it lacks is told and left out.
        form: "colmap", "colmap-text", "hloc", "npz" or "parquet".
        destination: a file (colmap, parquet) or a folder; None: in the collection's folder.
        **options: `cameras` for colmap.

    Returns:
        What was written.

    Raises:
        InvalidInput: an unknown format, an option that it doesn't have, or as its own function says.
        MissingDependency: a library that the format needs isn't installed.
    """
    if form not in EXPORTS:
        raise InvalidInput(f"form must be one of {', '.join(EXPORTS)}, but is {form!r}")
    if options and form != "colmap":
        raise InvalidInput(f"{', '.join(options)} is an option of colmap only; leave it out for {form}")
    return EXPORTS[form](collection, destination, **options)


def _pairs(collection: Collection) -> Iterator[dict[str, Any]]:
    """What is known of every pair, by name."""
    image = lru_cache(CACHE_SIZE)(lambda name: _image(collection, name))
    for name0, name1 in collection.pairs():
        matches, scores = collection.matches(name0, name1)
        estimate = collection.verified(name0, name1)
        sides = [image(name) for name in (name0, name1)]
        yield {
            "image0": name0,
            "image1": name1,
            **{
                f"{what}{side}": sides[side][what]
                for side in (0, 1)
                for what in ("image_size", "exif_orientation")
            },
            "matches": matches,
            "scores": scores,
            **{f"points{side}": sides[side]["keypoints"][matches[:, side]] for side in (0, 1)},
            "inliers": None if estimate is None else estimate.inliers,
            "fundamental": None if estimate is None else estimate.fundamental,
        }


def _image(collection: Collection, name: str) -> dict[str, Any]:
    features = collection.features(name)
    return {
        "keypoints": features.keypoints.float().cpu().numpy(),
        "image_size": list(features.image_size),
        "exif_orientation": features.exif_orientation,
    }


def _schema(pa: ModuleType) -> Any:
    name = pa.dictionary(pa.int32(), pa.string())  # a name stands in the file once a group
    types = {"image0": name, "image1": name, "index0": pa.int32(), "index1": pa.int32()}
    types |= dict.fromkeys(("x0", "y0", "x1", "y1", "score"), pa.float32())
    return pa.schema(types | {"inlier": pa.bool_()})


def _columns(contents: dict[str, Any]) -> list[Any]:
    """The columns of one pair, in the order of the schema."""
    pa = _pyarrow()
    count = len(contents["matches"])
    first = pa.array(np.zeros(count, np.int32))
    names = [pa.DictionaryArray.from_arrays(first, [contents[name]]) for name in ("image0", "image1")]
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
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependency(
            "Parquet tables need pyarrow, which isn't installed; run: python -m pip install 'tiepoint[collection]'"
        ) from error
    return pa
