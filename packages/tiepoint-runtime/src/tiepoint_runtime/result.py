"""Matches of an image pair as NumPy arrays, and their files."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.io.messages import repr_of_matches
from tiepoint.io.serialization import to_plain, write_arrays
from tiepoint.runtimes.lightglue import PairOutputs
from tiepoint_runtime.features import Features

FORMAT = 1
"""Version of the file format, which `tiepoint.MatchResult.load` reads."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MatchResult:
    """Tie points of an image pair; the attributes are those of `tiepoint.MatchResult`.

    Attributes:
        matches: Index pairs (keypoint of image 0, keypoint of image 1), in ascending order of the first, shape (k, 2).
        scores: Match confidence, shape (k,): in (0, 1] for LightGlue, cosine similarity for nearest neighbors.
        features0: Features of image 0.
        features1: Features of image 1.
        layers_run: Number of network layers that were run (early stopping); 0 if an image has no keypoints.
        stopped_by: Reason why no further layer was run.
        prune0: Number of layers after which each keypoint of image 0 was pruned, shape (m,); the number of layers
            without pruning.
        prune1: Number of layers after which each keypoint of image 1 was pruned, shape (n,).
        seconds: Duration of each stage: "read", "extract", "match".
    """

    matches: np.ndarray
    scores: np.ndarray
    features0: Features
    features1: Features
    layers_run: int
    stopped_by: str
    prune0: np.ndarray
    prune1: np.ndarray
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_outputs(
        cls, features0: Features, features1: Features, outputs: PairOutputs, seconds: dict[str, float]
    ) -> "MatchResult":
        """Combine the features of a pair with the matcher's output.

        Args:
            features0: Features of image 0.
            features1: Features of image 1.
            outputs: Output of the matcher.
            seconds: Duration of each stage in seconds.
        """
        matched = np.flatnonzero(outputs.matches0 >= 0)
        return cls(
            matches=np.stack((matched, outputs.matches0[matched]), axis=1),
            scores=outputs.matching_scores0[matched],
            features0=features0,
            features1=features1,
            layers_run=outputs.layers_run,
            stopped_by=outputs.stopped_by,
            prune0=outputs.prune0,
            prune1=outputs.prune1,
            seconds=seconds,
        )

    def __len__(self) -> int:
        return len(self.matches)

    def __repr__(self) -> str:
        images = ((features.source, len(features)) for features in (self.features0, self.features1))
        return repr_of_matches(len(self), images)

    @property
    def points0(self) -> np.ndarray:
        """Matched points (x, y) in px of the upright image 0, shape (k, 2)."""
        return self.features0.keypoints[self.matches[:, 0]]

    @property
    def points1(self) -> np.ndarray:
        """Corresponding points (x, y) in px of the upright image 1, shape (k, 2)."""
        return self.features1.keypoints[self.matches[:, 1]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the descriptors as lists, numbers and strings."""
        return to_plain(self._contents())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything but the descriptors, atomically; `tiepoint.MatchResult.load` reads the file.

        Args:
            path: Output path ending in .npz (NumPy) or .json.

        Raises:
            InvalidInput: If the suffix is unsupported or the file cannot be written.
        """
        return write_arrays(self._contents(), path)

    def _contents(self) -> dict[str, Any]:
        contents: dict[str, Any] = {"format": FORMAT}
        for side, features in enumerate((self.features0, self.features1)):
            contents |= {
                f"image{side}": features.source,
                f"image_size{side}": list(features.image_size),
                f"exif_orientation{side}": features.exif_orientation,
                f"keypoints{side}": features.keypoints,
                f"keypoint_scores{side}": features.scores,
            }
        return contents | {
            "features": self.features0.kind,
            "points0": self.points0,
            "points1": self.points1,
            "scores": self.scores,
            "matches": self.matches,
            "layers_run": self.layers_run,
            "stopped_by": self.stopped_by,
            "keypoints_used": [len(self.features0), len(self.features1)],
            "prune0": self.prune0,
            "prune1": self.prune1,
            "rotation0": 0,
            "rotation1": 0,
            "scale": 1.0,
            "tilt": 1.0,
            "seconds": dict(self.seconds),
        }
