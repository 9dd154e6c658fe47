"""Pairs of each query image with the most similar database images."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from tiepoint.collection.pairs.retrieval import most_similar_images
from tiepoint.compat.hloc.files import group_names, opened, read_features, read_names, write_pairs
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import read_reconstruction

GLOBAL = "global_descriptor"
Names = Path | str | Iterable[str | Path]


def main(
    descriptors: Path,
    output: Path,
    num_matched: int,
    query_prefix: str | Sequence[str] | None = None,
    query_list: Names | None = None,
    db_prefix: str | Sequence[str] | None = None,
    db_list: Names | None = None,
    db_model: Path | None = None,
    db_descriptors: Path | Sequence[Path] | None = None,
) -> None:
    """Write the pairs of each query image with the most similar database images.

    Args:
        descriptors: File with the global descriptors of the query images, as hloc writes it; or a file of local features,
            whose images are compared by the VLAD that `match_collection(pairs="retrieval:K")` computes from them.
        output: Output file, two names per line.
        num_matched: Maximum number of database images per query image.
        query_prefix: Prefix or prefixes of the names of query images; None takes all of `descriptors`.
        query_list: Names of the query images, or a text file of names.
        db_prefix: Prefix or prefixes of the names of database images.
        db_list: Names of the database images, or a text file of names.
        db_model: Folder of a COLMAP model whose images are the database.
        db_descriptors: Files with the global descriptors of the database images; None takes `descriptors`.

    Raises:
        InvalidInput: If there are no images, one has no descriptor, or a file cannot be read or written.
        MissingDependency: If faiss is not installed, which local features need.
    """
    queries = group_names(Path(descriptors))
    files = [descriptors] if db_descriptors is None else db_descriptors
    file_of = {name: Path(file) for file in _as_list(files) for name in group_names(Path(file))}
    if db_model is None:
        database = _select(list(file_of), db_prefix, db_list, "database")
    else:
        database = [image.name for image in read_reconstruction(db_model).images.values()]
    queries = _select(queries, query_prefix, query_list, "query")
    if _is_global(Path(descriptors), queries[0]):
        similarity = _global_similarity(Path(descriptors), queries, database, file_of)
    else:
        similarity = _vlad_similarity(Path(descriptors), queries, database)
    is_same = np.array(queries)[:, None] == np.array(database)[None]
    pairs = top_pairs(similarity, is_same | (similarity < 0), num_matched)
    write_pairs(Path(output), ((queries[i], database[j]) for i, j in pairs))


def top_pairs(
    scores: Float32[np.ndarray, "m n"], excluded: Bool[np.ndarray, "m n"], count: int
) -> list[tuple[int, int]]:
    """Return the columns with the highest scores of each row, as index pairs by descending score.

    Args:
        scores: Scores of all pairs.
        excluded: Pairs that are left out.
        count: Maximum number of columns per row.
    """
    ranked = np.argsort(-np.where(excluded, -np.inf, scores), axis=1, kind="stable")[:, :count]
    return [
        (row, int(column))
        for row, columns in enumerate(ranked)
        for column in columns
        if not excluded[row, column]
    ]


def _select(
    names: list[str], prefix: str | Sequence[str] | None, listed: Names | None, kind: str
) -> list[str]:
    if prefix is not None:
        start = prefix if isinstance(prefix, str) else tuple(prefix)
        names = [name for name in names if name.startswith(start)]
    elif listed is not None:
        names = read_names(listed)
    if not names:
        raise InvalidInput(f"no {kind} images: check the file, the prefix {prefix!r} and the list")
    return names


def _as_list(files: Path | str | Sequence[Path]) -> Sequence[Path | str]:
    return [files] if isinstance(files, Path | str) else files


def _is_global(path: Path, name: str) -> bool:
    with opened(path) as file:
        return name in file and GLOBAL in file[name]


def _global_similarity(
    path: Path, queries: list[str], database: list[str], file_of: dict[str, Path]
) -> Float32[np.ndarray, "m n"]:
    query_vectors = _read_global([(path, name) for name in queries])
    database_vectors = _read_global([(file_of.get(name, path), name) for name in database])
    return query_vectors @ database_vectors.T


def _read_global(places: list[tuple[Path, str]]) -> Float32[np.ndarray, "n d"]:
    vectors = {}
    for path in {path for path, _ in places}:
        with opened(path) as file:
            for name in (name for other, name in places if other == path):
                if name not in file or GLOBAL not in file[name]:
                    raise InvalidInput(f"{path} has no {GLOBAL!r} of {name}; extract it with hloc first")
                vectors[path, name] = np.array(file[name][GLOBAL], np.float32)
    return np.stack([vectors[place] for place in places])


def _vlad_similarity(path: Path, queries: list[str], database: list[str]) -> Float32[np.ndarray, "m n"]:
    """Return 1 for the most similar image down to 0 for the least; -1 for images without features."""
    names = group_names(path)
    missing = sorted({*queries, *database} - {*names})
    if missing:
        raise InvalidInput(f"{path} has no local features of {missing[0]}; extract all images to one file")
    with opened(path) as file:
        neighbors = most_similar_images(
            lambda index: read_features(file, names[index]).descriptors.numpy(), len(names), len(names)
        )
    ranks = np.full((len(names), len(names)), -1.0, np.float32)
    for image, found in enumerate(neighbors):
        found = found[found >= 0]
        ranks[image, found] = np.linspace(1, 0, len(found), dtype=np.float32)
    index = {name: number for number, name in enumerate(names)}
    return ranks[np.ix_([index[name] for name in queries], [index[name] for name in database])]
