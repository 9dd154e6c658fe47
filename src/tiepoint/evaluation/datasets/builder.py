"""DatasetBuilder: collects the pairs and problems of a data set while it is read."""

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
    """Collects pairs and problems, and caches image headers."""

    pairs: dict[str, EvaluationPair] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _headers: dict[Path, tuple[tuple[int, int], int]] = field(default_factory=dict)

    @contextmanager
    def skip_invalid(self, location: str | Path, line: int | None = None) -> Iterator[None]:
        """Record an InvalidInput or OSError of the block as a problem of this file and line, and continue."""
        try:
            yield
        except (InvalidInput, OSError) as error:
            where, text = f"{location}" if line is None else f"{location}:{line}", str(error)
            self.problems.append(text if text.startswith(where) else f"{where}: {text}")

    def add(self, pair: EvaluationPair) -> None:
        """Add a pair.

        Raises:
            InvalidInput: If a pair of the same name exists, or an image file is missing or invalid.
        """
        if pair.name in self.pairs:
            raise InvalidInput(f"duplicate pair {pair.name}; only the first one is used")
        for path in (pair.image0, pair.image1):
            self.image_size(path)
        self.pairs[pair.name] = pair

    def image_size(self, path: Path) -> tuple[int, int]:
        """Return the size (width, height) in px of the upright image, from the header of the file.

        Raises:
            InvalidInput: If the file is missing or is not an image.
        """
        return swap_sides(*self._header(path))

    def exif_orientation(self, path: Path) -> int:
        """Return the EXIF orientation, 1 to 8; raises InvalidInput as `image_size` does."""
        return self._header(path)[1]

    def dataset(self, name: str) -> Dataset:
        """Return the data set."""
        return Dataset(name=name, pairs=tuple(self.pairs.values()), problems=tuple(self.problems))

    def _header(self, path: Path) -> tuple[tuple[int, int], int]:
        if path not in self._headers:
            self._headers[path] = _read_header(path)
        return self._headers[path]


def _read_header(path: Path) -> tuple[tuple[int, int], int]:
    if not path.is_file():
        raise InvalidInput(f"image {path} not found")
    with path.open("rb") as stream:
        image = open_pillow(stream, repr(str(path)))
        return image.size, read_orientation(image, repr(str(path)))
