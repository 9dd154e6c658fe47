"""What the verdict says of the test half of benchmarks/records/verdict.json."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from tiepoint.geometry.pair_verification import MIN_SAME_SCENE_PROBABILITY, PairStatistics, classify


@dataclass(frozen=True, kw_only=True)
class Said:
    """Of the pairs of one preset with one number of keypoints.

    Attributes:
        said: probability of each pair.
        same: whether it shows the same place.
        names: of the pairs.
        evidence: of each.
    """

    preset: str
    keypoints: int
    said: Float[np.ndarray, "n"]
    same: Bool[np.ndarray, "n"]
    names: tuple[str, ...]
    evidence: tuple[PairStatistics, ...]

    @property
    def yes(self) -> Bool[np.ndarray, "n"]:
        """Pairs that are taken for the same place."""
        return self.said >= MIN_SAME_SCENE_PROBABILITY


def said_of(record: dict[str, Any], half: str = "test") -> Iterator[Said]:
    """One for each preset and number of keypoints."""
    pairs = record["pairs"]
    for group in record["observations"]:
        rows = [
            (pairs["name"][pair], pairs["same"][pair], evidence)
            for pair, evidence in zip(group["pairs"], evidences(group), strict=True)
            if pairs["half"][pair] == half
        ]
        if rows:
            names, same, evidence = zip(*rows, strict=True)
            yield Said(
                preset=group["preset"],
                keypoints=group["keypoints"],
                said=np.array([classify(one).probability for one in evidence]),
                same=np.array(same),
                names=names,
                evidence=evidence,
            )


def evidences(group: dict[str, Any]) -> list[PairStatistics]:
    """The evidence of a group of the record, pair by pair."""
    fields = list(PairStatistics.__dataclass_fields__)
    columns = zip(*(group[name] for name in fields), strict=True)
    return [PairStatistics(**dict(zip(fields, values, strict=True))) for values in columns]
