"""The stores of a collection: one of features, one of matches, one of geometry, each for one set of settings.

A store's name follows from its settings: other settings are another store, and nothing is ever stale. Matches depend on
what features depend on and more, geometry on what matches depend on and more; so other matching keeps the features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tiepoint.errors import StoreError
from tiepoint.feature_store import Store
from tiepoint.feature_store.store import Check
from tiepoint.io.hashing import json_digest
from tiepoint.types import TwoViewEstimate

KINDS = ("features", "matches", "verified")

Settings = Mapping[str, Mapping[str, Any]]
"""Kind of record -> everything that decides those records."""


@dataclass(frozen=True, slots=True, eq=False)
class Stores:
    """Where records of each kind are."""

    features: Store
    matches: Store
    verified: Store

    @classmethod
    def open(cls, location: str, settings: Settings, *, check: Check = "headers", hint: str = "") -> "Stores":
        """Open the stores of these settings; they are made where they don't exist.

        Args:
            location: a folder, or the URL of one.
            settings: of each kind.
            check: see `Store`.
            hint: likewise.

        Raises:
            StoreError: there is something else in their place.
            InvalidInput: the location can't be used.
            MissingDependency: h5py isn't installed; for a URL: fsspec.
        """
        if missing := [kind for kind in KINDS if kind not in settings]:
            raise StoreError(f"the collection has no settings of {missing[0]}; run it again")
        folders = [f"{location.rstrip('/')}/{kind}-{json_digest(settings[kind])}" for kind in KINDS]
        return cls(
            *(
                Store(folder, settings[kind], check=check, hint=hint)
                for folder, kind in zip(folders, KINDS, strict=True)
            )
        )

    def of(self, kind: str) -> Store:
        """The store of a kind of record."""
        return {"features": self.features, "matches": self.matches, "verified": self.verified}[kind]


def estimate_to_record(estimate: TwoViewEstimate) -> dict[str, Any]:
    """The record of a pair's geometry: its matrix, and which matches are inliers."""
    matrix = {} if estimate.matrix is None else {"matrix": estimate.matrix.astype(np.float64)}
    return {
        **matrix,
        "inliers": np.flatnonzero(estimate.inliers).astype(np.int32),
        "success": estimate.success,
        "num_inliers": estimate.num_inliers,
        "num_matches": len(estimate.inliers),
        "kind": estimate.kind,
        "method": estimate.method,
        "max_error_px": estimate.max_error_px,
        "reason": estimate.reason,
    }


def estimate_from_record(record: Mapping[str, Any]) -> TwoViewEstimate:
    """The inverse of `estimate_to_record`."""
    inliers = np.zeros(record["num_matches"], bool)
    inliers[record["inliers"]] = True
    return TwoViewEstimate(
        kind=record["kind"],
        matrix=record.get("matrix"),
        inliers=inliers,
        method=record["method"],
        max_error_px=record["max_error_px"],
        reason=record["reason"],
    )
