"""Soft targets: the assignment that a teacher predicts for a pair, kept as the few likeliest partners of each keypoint."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.errors import StoreError
from tiepoint.feature_store import Store
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.lightglue.training import LayerwiseLightGlue
from tiepoint.training.data.ground_truth import UNMATCHED
from tiepoint.training.data.pairs import PairSample, PairSource, SoftTargets, collate, digest
from tiepoint.training.distributed import has_fast_bfloat16
from tiepoint.types import Features

KIND = "soft_targets"
"""Of records: one for each two images."""

TOP_K = 4
"""Partners of a keypoint that are kept; a trained teacher rarely thinks of more than two."""

SHARD = 64
"""Records that are written together: what has to be predicted again when the program is killed."""


class DistillationPairs(PairSource):
    """The pairs of another source, each with its soft targets.

    A teacher is slower than its student, and a small collection shows the same two views many times. So the teacher
    predicts once for each two images, and the prediction is kept in a store, as exactly as it is used: training goes on
    alike whether it is new or was read. Pairs of which nothing matches need no prediction.

    Args:
        source: of the pairs.
        teacher: in evaluation mode; takes the same features.
        folder: for stores of soft targets, one for each teacher.
    """

    def __init__(self, source: PairSource, teacher: LightGlue, folder: Path) -> None:
        self.source = source
        self.kind, self.descriptor_dim = source.kind, source.descriptor_dim
        self.position_dim, self.fingerprint = source.position_dim, source.fingerprint
        self._device = next(teacher.parameters()).device
        self._teacher = LayerwiseLightGlue(teacher, mixed_precision=has_fast_bfloat16(self._device))
        settings = {"teacher": weights_digest(teacher), "features": source.kind, "top_k": TOP_K}
        self._store = Store(
            folder / f"soft-targets-{digest(map(str, settings.values()))}", settings, check="headers"
        )
        self._new: dict[str, dict[str, np.ndarray]] = {}

    def __getitem__(self, index: int) -> PairSample:
        """The pair of a number, from 0 on, without an end."""
        sample = self.source[index]
        if is_negative(sample):
            return replace(sample, soft_targets=nothing_likely(len(sample.matches0), len(sample.matches1)))
        digests = [features_digest(features) for features in (sample.features0, sample.features1)]
        in_order = digests == sorted(digests)
        found = self._of("-".join(sorted(digests)), sample if in_order else sample.swapped())
        return replace(sample, soft_targets=found if in_order else found.swapped())

    def close(self) -> None:
        """Write what was predicted since the last file."""
        if self._new:
            self._store.write(KIND, self._new)
            self._new = {}
            self._store.shards(KIND)  # looks for those of other processes, too
        self.source.close()

    def _of(self, key: str, sample: PairSample) -> SoftTargets:
        record = self._new.get(key) or self._read(key)
        if record is None:
            record = self._new[key] = to_record(self._predict(sample))
            if len(self._new) >= SHARD:
                self.close()
        return from_record(record)

    def _read(self, key: str) -> dict[str, np.ndarray] | None:
        """What is kept; None where there is nothing, or it was damaged and is predicted again."""
        try:
            return self._store.read(KIND, key) if self._store.has(KIND, key) else None
        except StoreError:
            return None

    def _predict(self, sample: PairSample) -> SoftTargets:
        batch = collate([sample], self._teacher.network.shape.position_dim).to(self._device)
        with torch.no_grad():
            return top_k_of(self._teacher.last(*batch.inputs)[0].cpu())


def top_k_of(log_assignment: Float[Tensor, "rows columns"]) -> SoftTargets:
    """The likeliest partners that a log assignment (m + 1, n + 1) gives to each keypoint."""
    (partners0, probabilities0), (partners1, probabilities1) = map(
        _top_k, (log_assignment[:-1], log_assignment[:, :-1].T)
    )
    return SoftTargets(partners0, probabilities0, partners1, probabilities1)


def nothing_likely(m: int, n: int) -> SoftTargets:
    """Those of two images of which no keypoint matches."""
    sure = torch.zeros(TOP_K)
    sure[0] = 1
    partners = (torch.full((count, TOP_K), UNMATCHED) for count in (m, n))
    return SoftTargets(next(partners), sure.repeat(m, 1), next(partners), sure.repeat(n, 1))


def is_negative(sample: PairSample) -> bool:
    """Whether it is known of every keypoint that it has no match."""
    return all(bool((matches == UNMATCHED).all()) for matches in (sample.matches0, sample.matches1))


def to_record(soft_targets: SoftTargets) -> dict[str, np.ndarray]:
    """Small: two bytes for each number."""
    return {
        name: values.numpy().astype(np.int16 if name.startswith("partners") else np.float16)
        for name, values in soft_targets._asdict().items()
    }


def from_record(record: dict[str, np.ndarray]) -> SoftTargets:
    """The inverse of `to_record`."""
    return SoftTargets(
        *(
            torch.from_numpy(record[name].astype(np.int64 if name.startswith("partners") else np.float32))
            for name in SoftTargets._fields
        )
    )


def features_digest(features: Features) -> str:
    """Sixteen hexadecimal digits of everything that a teacher sees of an image."""
    content = hashlib.sha256(repr(features.image_size).encode())
    for tensor in (features.keypoints, features.descriptors, features.scales, features.orientations):
        if tensor is not None:
            content.update(tensor.numpy().tobytes())
    return content.hexdigest()[:16]


def weights_digest(network: LightGlue) -> str:
    """Sixteen hexadecimal digits of all weights."""
    content = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        content.update(name.encode())
        content.update(tensor.cpu().numpy().tobytes())
    return content.hexdigest()[:16]


def _top_k(log_probabilities: Float[Tensor, "k others"]) -> tuple[Int[Tensor, "k p"], Float[Tensor, "k p"]]:
    """Partners, `UNMATCHED` for none, and their probabilities; always `TOP_K` of them."""
    k, others = log_probabilities.shape
    found = log_probabilities.softmax(1).topk(min(TOP_K, others), dim=1)
    partners, probabilities = torch.full((k, TOP_K), UNMATCHED), torch.zeros(k, TOP_K)
    partners[:, : found.indices.shape[1]] = found.indices.where(found.indices < others - 1, UNMATCHED)
    probabilities[:, : found.values.shape[1]] = found.values.float()
    return partners, probabilities
