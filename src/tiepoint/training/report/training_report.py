"""TrainingReport: what a training gave, as `training.json` and `tiepoint.train` have it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tiepoint.feature_store import JSONScalar
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.training.validation import Figures, ValidationProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReport:
    """What a training gave.

    Attributes:
        folder: takes `tiepoint.load` and `LightGlueForKeypointMatching.from_pretrained`.
        recipe: name of it.
        extractor: name of it.
        kind: of its features.
        shape: of the network.
        parameters: numbers in the network.
        settings: everything that decided what came out, but the time.
        steps: of the optimizer.
        pairs: that the network has seen.
        seconds: spent on steps, in all parts of the run.
        protocol: of the figures.
        figures: of each matcher on the held-out photographs: "mutual nearest", "published" where there is one, the
            network "before" and "trained", and "trained, adaptive".
        problems: photographs that couldn't be used, one line each.
        versions: of the packages that figures depend on.
    """

    folder: Path
    recipe: str
    extractor: str
    kind: str
    shape: LightGlueShape
    parameters: int
    settings: Mapping[str, JSONScalar]
    steps: int
    pairs: int
    seconds: float
    protocol: ValidationProtocol
    figures: Mapping[str, Figures]
    problems: tuple[str, ...]
    versions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it; figures that there are not are null."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "folder"}
        plain = {
            "shape": asdict(self.shape),
            "protocol": asdict(self.protocol),
            "figures": {name: _finite(figures.to_dict()) for name, figures in self.figures.items()},
        }
        return values | plain | {"settings": dict(self.settings), "problems": list(self.problems)}


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
