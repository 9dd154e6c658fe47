"""Logs of a training: a CSV file a kind of row, and TensorBoard's events. A resumed run goes on in them without a seam."""

import csv
import os
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.io.atomic import atomic_write

STEPS, VALIDATIONS = "steps.csv", "validation.csv"
EVENTS = "tensorboard"

Row = Mapping[str, float]


class TrainingLog:
    """Writes down what happens, row by row; a row is on the disk when `step` or `validation` returns.

    Args:
        folder: of the run.
        after: the step from which the run goes on; what was logged of later steps is forgotten.
        tensorboard: write events for TensorBoard too.

    Raises:
        InvalidInput: the files can't be written.
        MissingDependency: `tensorboard` is asked for, and isn't installed.
    """

    def __init__(self, folder: Path, *, after: int = 0, tensorboard: bool = False) -> None:
        self._events = _event_writer(folder / EVENTS, after) if tensorboard else None
        self._files = {
            "step": CsvLog(folder / STEPS, after),
            "validation": CsvLog(folder / VALIDATIONS, after),
        }

    def step(self, row: Row) -> None:
        """One step of the optimizer: "step", and any figures by name."""
        self._write("step", row)

    def validation(self, row: Row) -> None:
        """One validation: "step", and any figures by name."""
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
    """A CSV file with a row a step; the first row decides the columns.

    Args:
        path: made with its first row.
        after: rows of later steps are dropped, and half a last line is.
    """

    def __init__(self, path: Path, after: int = 0) -> None:
        self.path = path
        steps = [row["step"] for row in read_rows(path)]
        kept = bisect_right(steps, after)  # steps rise
        lines = path.read_text().splitlines()[: kept + 1] if kept else []
        self._columns = lines[0].split(",") if lines else []
        if path.exists():
            with atomic_write(path) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in lines))

    def append(self, row: Row) -> None:
        """Write one row.

        Raises:
            InvalidInput: it can't be written.
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
                f"can't write {self.path}: {error.strerror or error}; make room, then go on with --resume"
            ) from error


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, float]]:
    """The rows of a log, oldest first; none where there is no file. Half a last line doesn't count."""
    if not Path(path).exists():
        return []
    text = Path(path).read_text()
    whole = text[: text.rfind("\n") + 1]
    return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(whole.splitlines())]


def _line(cells: Iterable[str]) -> str:
    return ",".join(cells) + "\n"


def check_tensorboard() -> None:
    """Find out before the work whether events can be written. Raises MissingDependency where they can't."""
    _summary_writer()


def _event_writer(folder: Path, after: int) -> Any:
    return _summary_writer()(str(folder), purge_step=after + 1)


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingDependency(
            "events for TensorBoard need tensorboard, which isn't installed; run: python -m pip install tensorboard"
        ) from error
    return SummaryWriter
