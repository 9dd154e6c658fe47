"""Report: what one evaluation gave, pair by pair, and the figures that follow from it. One JSON file."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.bootstrap import Figures, Interval, Statistic, bootstrap_interval, mean
from tiepoint.geometry.metrics import auc
from tiepoint.io.atomic import atomic_write
from tiepoint.io.versions import installed_versions

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairResult:
    """One pair.

    Attributes:
        pair: its name.
        scene: what it shows.
        truth: "homography", "pose", "points" or "disparity".
        tags: what the figures may be grouped by.
        values: numbers by name; inf is a failure, what the pair doesn't tell is left out.
    """

    pair: str
    scene: str
    truth: str
    tags: Mapping[str, str | float] = field(default_factory=dict)
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How one number follows from many pairs.

    Attributes:
        key: its name in JSON.
        label: its name for people.
        truth: the rows that it is about; None: all.
        value: the value of a row that it is made of.
        statistic: what makes one number of many.
        unit: of the number; "" for shares.
    """

    key: str
    label: str
    truth: str | None
    value: str
    statistic: Statistic = mean
    unit: str = ""

    def values(self, rows: Sequence[PairResult]) -> dict[str, float]:
        """Name of a pair -> its value, for the rows that have one."""
        return {
            row.pair: row.values[self.value]
            for row in rows
            if self.truth in (None, row.truth) and self.value in row.values
        }


def auc_at(errors: np.ndarray, threshold: float) -> Figures:
    """AUC at one threshold, as a statistic."""
    return auc(errors, [threshold])[..., 0]


def median(values: np.ndarray) -> Figures:
    """The median, as a statistic."""
    return np.median(values, axis=-1)


def _auc(name: str, label: str, truth: str, value: str, thresholds: Sequence[int], unit: str) -> list[Metric]:
    return [
        Metric(
            key=f"{name}_{limit}{unit}",
            label=f"{label} AUC@{limit}{unit}",
            truth=truth,
            value=value,
            statistic=partial(auc_at, threshold=limit),
        )
        for limit in thresholds
    ]


def _share(key: str, label: str, truth: str) -> Metric:
    return Metric(key=key, label=label, truth=truth, value=key)


def _median(key: str, label: str, unit: str) -> Metric:
    return Metric(key=key, label=f"median {label}", truth=None, value=key, statistic=median, unit=unit)


METRICS: tuple[Metric, ...] = (
    *_auc("corner_auc", "corner error", "homography", "corner_error_px", (1, 3, 5, 10), "px"),
    *_auc("corner_dlt_auc", "corner error (DLT)", "homography", "corner_error_dlt_px", (1, 3, 5), "px"),
    *(_share(f"precision_{px}px", f"matches within {px}px", "homography") for px in (1, 3, 5)),
    _share("recall_3px", "recall at 3px", "homography"),
    *_auc("pose_auc", "pose error", "pose", "pose_error_deg", (5, 10, 20), "deg"),
    _share("epipolar_precision", "epipolar precision (5e-4)", "pose"),
    _share("marked_maa", "marked points within 1 to 20px (mAA)", "points"),
    *(_share(f"marked_within_{px}px", f"marked points within {px}px", "points") for px in (1, 3, 5, 10, 20)),
    *(_share(f"disparity_within_{px}px", f"matches within {px}px", "disparity") for px in (1, 3)),
    _median("num_matches", "matches", ""),
    _median("seconds_extract", "seconds, extract both images", "s"),
    _median("seconds_match", "seconds, match", "s"),
    _median("seconds_estimate", "seconds, estimate", "s"),
)
"""All figures; those that no pair speaks of are left out of a report."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """What one evaluation gave.

    Attributes:
        predictor: name of what was evaluated.
        dataset: name of the data set.
        protocol: its name and settings; figures of another protocol can't be compared with these.
        versions: of the packages that had a hand in it.
        rows: one a pair that was scored.
        problems: what could not be read or scored, one line each.
    """

    predictor: str
    dataset: str
    protocol: Mapping[str, Any]
    rows: Sequence[PairResult]
    versions: Mapping[str, str] = field(default_factory=installed_versions)
    problems: Sequence[str] = ()

    def figures(self, *, samples: int = 2000) -> dict[str, Interval]:
        """Key of a figure -> its value, and the interval of 95 % that pairs drawn anew give.

        Args:
            samples: draws of the bootstrap.
        """
        return {
            figure.key: bootstrap_interval(
                np.array(list(values.values())), statistic=figure.statistic, samples=samples
            )
            for figure in METRICS
            if (values := figure.values(self.rows))
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers; a failure (inf) is null."""
        figures = {key: asdict(interval) for key, interval in self.figures().items()}
        return {
            "format": FORMAT,
            "predictor": self.predictor,
            "dataset": self.dataset,
            "protocol": dict(self.protocol),
            "versions": dict(self.versions),
            "figures": figures,
            "problems": list(self.problems),
            "rows": [asdict(row) | {"values": _without_infinity(row.values)} for row in self.rows],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON; the file appears whole or not at all.

        Raises:
            InvalidInput: it can't be written.
        """
        with atomic_write(path) as temporary:
            temporary.write_text(
                json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8"
            )


def read_report(path: str | os.PathLike[str]) -> Report:
    """Read what `Report.save` wrote; its figures are computed again from the rows.

    Raises:
        InvalidInput: the file can't be read, or isn't such a report.
    """
    try:
        contents = json.loads(Path(path).read_text(encoding="utf-8"))
        rows = [PairResult(**row | {"values": _with_infinity(row["values"])}) for row in contents["rows"]]
        names = ("predictor", "dataset", "protocol", "versions", "problems")
        return Report(rows=rows, **{name: contents[name] for name in names})
    except OSError as error:
        raise InvalidInput(f"can't read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{path} isn't a report that `tiepoint eval --json` wrote; make it again"
        ) from error


def _without_infinity(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _with_infinity(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.inf if value is None else value for name, value in values.items()}
