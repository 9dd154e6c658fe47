"""TrainingReport: the result of a training, as `tiepoint.train` returns it and `training.json` holds it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tiepoint.feature_store import JSONScalar
from tiepoint.io.config import to_dict
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.training.config import TrainConfig
from tiepoint.training.validation import ValidationMetrics, ValidationProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReport:
    """Result of a training.

    Attributes:
        folder: Output folder; `tiepoint.load` and `LightGlueForKeypointMatching.from_pretrained` accept it.
        recipe: Name of the recipe.
        extractor: Name of the extractor.
        kind: Kind of its features.
        shape: Shape of the network.
        parameters: Number of parameters of the network.
        config: Settings of the training.
        settings: Settings that determine the result, with digests of weights and data.
        steps: Number of optimizer steps.
        pairs: Number of pairs trained on.
        best_pairs: Number of pairs after which the delivered weights were validated; they are the best by F1 score.
        seconds: Time spent on steps, in all parts of the run.
        protocol: Validation protocol of the metrics.
        metrics: Metrics of each matcher on the held-out images: "mutual nearest", "pretrained" if there is one, the
            network "before" and "trained", and "trained, adaptive".
        notes: Remarks on the result, one line each: that it is no better than before the training.
        problems: Images that could not be used, one line each.
        versions: Versions of the packages that the metrics depend on.
    """

    folder: Path
    recipe: str
    extractor: str
    kind: str
    shape: LightGlueShape
    parameters: int
    config: TrainConfig
    settings: Mapping[str, JSONScalar]
    steps: int
    pairs: int
    best_pairs: int
    seconds: float
    protocol: ValidationProtocol
    metrics: Mapping[str, ValidationMetrics]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    versions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values; undefined metrics are null."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "folder"}
        converted = {
            "shape": asdict(self.shape),
            "config": to_dict(self.config),
            "protocol": asdict(self.protocol),
            "metrics": {name: _finite(metrics.to_dict()) for name, metrics in self.metrics.items()},
            "settings": dict(self.settings),
            "notes": list(self.notes),
            "problems": list(self.problems),
        }
        return values | converted

    def __repr__(self) -> str:
        """Return one line: folder, size, and precision and recall on the held-out images."""
        trained = self.metrics.get("trained")
        result = (
            ""
            if trained is None
            else f", precision {100 * trained.precision:.1f} %, recall {100 * trained.recall:.1f} %"
        )
        return (
            f"TrainingReport({str(self.folder)!r}, {self.pairs:,} pairs, {self.seconds / 60:.1f} min{result})"
        )


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
