"""hloc's files: HDF5 files of features and matches, and text files of names and pairs."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tiepoint.collection.export.hloc import pair_group
from tiepoint.collection.pairs.pairs_file import write_plain_pairs
from tiepoint.errors import InvalidInput, TiepointError
from tiepoint.image.listing import natural_order
from tiepoint.io.atomic import atomic_write
from tiepoint.io.optional import import_optional
from tiepoint.types import Features

SCORES = ("scores", "keypoint_scores")
"""Names of the detection scores, which depend on the extractor in hloc."""
OLD_SEPARATOR = "_"
"""Between the names of a pair in old match files, instead of "/"."""


@contextmanager
def updated_file(path: Path, *, overwrite: bool = False) -> Iterator[Any]:
    """Yield an HDF5 file to add groups to; it replaces the previous file at the end, so that no file is partial.

    If the block is interrupted or fails with one of tiepoint's errors, the groups so far are kept.

    Args:
        path: File; a previous one is copied first.
        overwrite: Start with an empty file.

    Raises:
        InvalidInput: If the file cannot be written, or the previous one is not an HDF5 file.
    """
    failure: BaseException | None = None
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        if path.exists() and not overwrite:
            shutil.copyfile(path, temporary)
        with h5py().File(temporary, "a") as file:
            try:
                yield file
            except (KeyboardInterrupt, TiepointError) as error:
                failure = error
    if failure is not None:
        raise failure


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield an HDF5 file for reading.

    Raises:
        InvalidInput: If the file does not exist or is not an HDF5 file.
    """
    try:
        file = h5py().File(path, "r")
    except OSError as error:
        raise InvalidInput(
            f"cannot read {path} as HDF5: {error}; extract_features and match_features write such files"
        ) from error
    with file:
        yield file


def group_names(path: Path) -> list[str]:
    """Return the names of all groups with data, which are image names in feature files, in natural sort order."""
    names: set[str] = set()
    dataset = h5py().Dataset

    def visit(_: str, item: Any) -> None:
        if isinstance(item, dataset):
            names.add(item.parent.name.strip("/"))

    with opened(path) as file:
        file.visititems(visit)
    return sorted(names, key=natural_order)


def is_matched(file: Any, name0: str, name1: str) -> bool:
    """Return whether a match file has a pair, in any order and form."""
    return matched_group(file, name0, name1) is not None or matched_group(file, name1, name0) is not None


def matched_group(file: Any, name0: str, name1: str) -> str | None:
    """Return the name of the group of a pair in this order; None if there is none."""
    group = pair_group(name0, name1)
    known = (group, group.replace("/", OLD_SEPARATOR))
    return next((name for name in known if name in file), None)


def read_matches(file: Any, name0: str, name1: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the matches of a pair, stored in any order.

    Args:
        file: Match file.
        name0: Name of image 0.
        name1: Name of image 1.

    Returns:
        Index pairs, shape (k, 2), and scores, shape (k,).

    Raises:
        InvalidInput: If the pair is not in the file.
    """
    for names in ((name0, name1), (name1, name0)):
        group = matched_group(file, *names)
        if group is not None:
            matches0, scores = np.array(file[group]["matches0"]), np.array(file[group]["matching_scores0"])
            (indices,) = np.nonzero(matches0 >= 0)
            pairs = np.stack([indices, matches0[indices]], axis=1)
            return (pairs if names[0] == name0 else pairs[:, ::-1]), scores[indices]
    raise InvalidInput(
        f"{file.filename} has no matches of {name0} and {name1}; match this list of pairs first"
    )


def read_features(file: Any, name: str) -> Features:
    """Read the features of an image, in px of the stored raster.

    Args:
        file: Feature file.
        name: Name of the image.

    Raises:
        InvalidInput: If the image is not in the file, or it has no keypoints and descriptors.
    """
    if name not in file or "keypoints" not in file[name] or "descriptors" not in file[name]:
        raise InvalidInput(
            f"{file.filename} has no local features of {name}; extract them with extract_features"
        )
    group = file[name]
    width, height = (int(side) for side in group["image_size"])
    keypoints = _tensor(group["keypoints"])
    scores = next((_tensor(group[key]) for key in SCORES if key in group), torch.ones_like(keypoints[:, 0]))
    limits = keypoints.new_tensor([width - 1, height - 1])
    return Features(
        keypoints=keypoints.clamp(min=0).minimum(limits),  # float16 may have moved them outside
        scores=scores,
        descriptors=_tensor(group["descriptors"]).T.contiguous(),
        image_size=(width, height),
        source=name,
    )


def read_names(images: Path | str | Iterable[str | Path]) -> list[str]:
    """Return the names of images.

    Args:
        images: Text file with a name at the start of each line, possibly with wildcards in its name; or the names.

    Raises:
        InvalidInput: If there is no such file, or it has no names.
    """
    if not isinstance(images, str | Path):
        return [name.as_posix() if isinstance(name, Path) else str(name) for name in images]
    path = Path(images)
    lines = [line for file in sorted(path.parent.glob(path.name)) for line in _read_lines(file)]
    if not lines:
        raise InvalidInput(f"no image names in {path}; expected a text file with one name per line")
    return [line.split()[0] for line in lines if not line.startswith("#")]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Read the pairs of a text file, two names per line; each pair once, in its first order.

    Raises:
        InvalidInput: If the file cannot be read, or a line does not have two names.
    """
    pairs: dict[frozenset[str], tuple[str, str]] = {}
    for line in _read_lines(path):
        names = line.split()
        if len(names) != 2:
            raise InvalidInput(f"{path}: expected two image names per line, got {line!r}")
        pairs.setdefault(frozenset(names), (names[0], names[1]))
    return list(pairs.values())


def write_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write pairs, two names per line.

    Raises:
        InvalidInput: If the file cannot be written, or a name has spaces.
    """
    with atomic_write(path) as temporary:
        write_plain_pairs(temporary, pairs)


def h5py() -> ModuleType:
    """Import h5py.

    Raises:
        MissingDependency: If it is not installed.
    """
    return import_optional("h5py", purpose="reading and writing hloc's files", install="tiepoint[collection]")


def _tensor(dataset: Any) -> Tensor:
    return torch.from_numpy(np.array(dataset, np.float32))


def _read_lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {error}") from error
