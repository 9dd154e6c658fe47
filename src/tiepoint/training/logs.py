"""Logs of a training: CSV files of steps and validations, and TensorBoard events. A resumed run continues them."""

import csv
import os
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.io.atomic import atomic_write
from tiepoint.io.optional import import_optional

STEPS, VALIDATIONS = "steps.csv", "validation.csv"
EVENTS = "tensorboard"

Row = Mapping[str, float]


class TrainingLog:
    """Logs of a run, written row by row.

    Args:
        folder: Output folder of the run.
        after: Step after which the run resumes; rows of later steps are dropped.
        tensorboard: Write TensorBoard events too.

    Raises:
        InvalidInput: If the files cannot be written.
        MissingDependency: If TensorBoard is requested but not installed.
    """

    def __init__(self, folder: Path, *, after: int = 0, tensorboard: bool = False) -> None:
        self._events = _event_writer(folder / EVENTS, after) if tensorboard else None
        self._files = {
            "step": CsvLog(folder / STEPS, after),
            "validation": CsvLog(folder / VALIDATIONS, after),
        }

    def step(self, row: Row) -> None:
        """Log an optimizer step: "step", and metrics by name."""
        self._write("step", row)

    def validation(self, row: Row) -> None:
        """Log a validation: "step", and metrics by name."""
        self._write("validation", row)

    def __enter__(self) -> "TrainingLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            self._events.close()

    def _write(self, kind: str, row: Row) -> None:
        self._files[kind].append(row)
        if self._events is not None:
            for name, value in row.items():
                if name != "step":
                    self._events.add_scalar(f"{kind}/{name}", value, int(row["step"]))


class CsvLog:
    """A CSV file with one row per step; the first row determines the columns.

    Args:
        path: Path of the file; it is created with the first row.
        after: Rows of later steps are dropped, and so is an incomplete last line.
    """

    def __init__(self, path: Path, after: int = 0) -> None:
        self.path = path
        steps = [row["step"] for row in read_rows(path)]
        kept = bisect_right(steps, after)  # steps are in ascending order
        lines = path.read_text().splitlines()[: kept + 1] if kept else []
        self._columns = lines[0].split(",") if lines else []
        if path.exists():
            with atomic_write(path) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in lines))

    def append(self, row: Row) -> None:
        """Append a row.

        Raises:
            InvalidInput: If the file cannot be written.
        """
        lines = [_line([repr(row[name]) for name in self._columns or row])]
        if not self._columns:
            self._columns = list(row)
            lines.insert(0, _line(self._columns))
        try:
            with self.path.open("a", newline="") as file:
                file.write("".join(lines))
        except OSError as error:
            raise InvalidInput(
                f"cannot write {self.path}: {error.strerror or error}; free disk space, then resume with --resume"
            ) from error


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, float]]:
    """Read the complete rows of a log, oldest first; an empty list if there is no file."""
    if not Path(path).exists():
        return []
    text = Path(path).read_text()
    complete = text[: text.rfind("\n") + 1]
    return [
        {name: float(value) for name, value in row.items()} for row in csv.DictReader(complete.splitlines())
    ]


def _line(cells: Iterable[str]) -> str:
    return ",".join(cells) + "\n"


def check_tensorboard() -> None:
    """Raise MissingDependency if TensorBoard is not installed."""
    _summary_writer()


def _event_writer(folder: Path, after: int) -> Any:
    return _summary_writer()(str(folder), purge_step=after + 1)


def _summary_writer() -> Any:
    import_optional("tensorboard", purpose="writing TensorBoard events", install="tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter
