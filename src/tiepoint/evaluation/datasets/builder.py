"""Collected: the pairs of a data set while it is read, and the problems on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair
from tiepoint.image.exif import read_orientation, swap_sides
from tiepoint.image.opening import open_pillow


@dataclass(slots=True)
class DatasetBuilder:
    """Grows while a data set is read."""

    pairs: dict[str, EvaluationPair] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _headers: dict[Path, tuple[tuple[int, int], int]] = field(default_factory=dict)

    @contextmanager
    def skip_invalid(self, place: str | Path, line: int | None = None) -> Iterator[None]:
        """Whatever is wrong with the input within the block becomes a problem of this file and line."""
        try:
            yield
        except (InvalidInput, OSError) as error:
            where, text = f"{place}" if line is None else f"{place}:{line}", str(error)
            self.problems.append(text if text.startswith(where) else f"{where}: {text}")

    def add(self, pair: EvaluationPair) -> None:
        """Keep a pair.

        Raises:
            InvalidInput: a pair of this name is there, or one of its image files is missing or no image.
        """
        if pair.name in self.pairs:
            raise InvalidInput(f"the pair {pair.name} is listed twice; only the first one is kept")
        for path in (pair.image0, pair.image1):
            self.image_size(path)
        self.pairs[pair.name] = pair

    def image_size(self, path: Path) -> tuple[int, int]:
        """(width, height) in px of an image once it is upright, from its header.

        Raises:
            InvalidInput: the file is missing or no image.
        """
        return swap_sides(*self._header(path))

    def exif_orientation(self, path: Path) -> int:
        """1 to 8. Raises InvalidInput as `image_size` does."""
        return self._header(path)[1]

    def dataset(self, name: str) -> Dataset:
        """What was read."""
        return Dataset(name=name, pairs=tuple(self.pairs.values()), problems=tuple(self.problems))

    def _header(self, path: Path) -> tuple[tuple[int, int], int]:
        if path not in self._headers:
            self._headers[path] = _read_header(path)
        return self._headers[path]


def _read_header(path: Path) -> tuple[tuple[int, int], int]:
    if not path.is_file():
        raise InvalidInput(f"the image {path} is missing")
    with path.open("rb") as stream:
        image = open_pillow(stream, repr(str(path)))
        return image.size, read_orientation(image, repr(str(path)))
