"""Knowledge distillation: soft targets are the top-k matches of each keypoint that a teacher predicts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.errors import StoreError
from tiepoint.feature_store import Store
from tiepoint.geometry.ground_truth import UNMATCHED
from tiepoint.io.hashing import SHORT_DIGEST_LENGTH, bytes_digest
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.lightglue.training import LayerwiseLightGlue
from tiepoint.training.data.pairs import PairDataset, PairSample, SoftTargets, collate, digest
from tiepoint.training.distributed import has_fast_bfloat16
from tiepoint.types import Features

KIND = "soft_targets"
"""Kind of the records: one per image pair."""

TOP_K = 4
"""Number of candidates per keypoint; a trained teacher rarely has more than two."""

SHARD_SIZE = 64
"""Records per shard: the predictions that are lost if the program is killed."""


class DistillationPairs(PairDataset):
    """A pair dataset with soft targets added to each pair.

    A teacher is slower than its student, and in small collections the same warps are paired many times. So the teacher
    predicts once per image pair, and the prediction is stored in the precision in which it is used: the training does
    not depend on whether it was computed or read. Negative pairs need no prediction.

    Args:
        dataset: Pairs without soft targets.
        teacher: Teacher in evaluation mode, for the same features.
        folder: Folder for stores of soft targets, one per teacher.
    """

    def __init__(self, dataset: PairDataset, teacher: LightGlue, folder: Path) -> None:
        self.dataset = dataset
        self.kind, self.descriptor_dim = dataset.kind, dataset.descriptor_dim
        self.position_dim, self.fingerprint = dataset.position_dim, dataset.fingerprint
        self._device = next(teacher.parameters()).device
        self._teacher = LayerwiseLightGlue(teacher, mixed_precision=has_fast_bfloat16(self._device))
        settings = {"teacher": weights_digest(teacher), "features": dataset.kind, "top_k": TOP_K}
        self._store = Store(
            folder / f"soft-targets-{digest(map(str, settings.values()))}", settings, check="headers"
        )
        self._new: dict[str, dict[str, np.ndarray]] = {}

    def __getitem__(self, index: int) -> PairSample:
        """Return the pair of an index; indices start at 0 and have no upper limit."""
        sample = self.dataset[index]
        if is_negative(sample):
            return replace(sample, soft_targets=unmatched_targets(len(sample.matches0), len(sample.matches1)))
        digests = [features_digest(features) for features in (sample.features0, sample.features1)]
        in_order = digests == sorted(digests)
        targets = self._soft_targets("-".join(sorted(digests)), sample if in_order else sample.swapped())
        return replace(sample, soft_targets=targets if in_order else targets.swapped())

    def close(self) -> None:
        """Write the predictions since the last shard."""
        if self._new:
            self._store.write(KIND, self._new)
            self._new = {}
            self._store.shards(KIND)  # finds the shards of other processes too
        self.dataset.close()

    def _soft_targets(self, key: str, sample: PairSample) -> SoftTargets:
        record = self._new.get(key) or self._read(key)
        if record is None:
            record = self._new[key] = to_record(self._predict(sample))
            if len(self._new) >= SHARD_SIZE:
                self.close()
        return from_record(record)

    def _read(self, key: str) -> dict[str, np.ndarray] | None:
        """Read a stored prediction; None if there is none, or it is damaged."""
        try:
            return self._store.read(KIND, key) if self._store.has(KIND, key) else None
        except StoreError:
            return None

    def _predict(self, sample: PairSample) -> SoftTargets:
        batch = collate([sample], self._teacher.network.shape.position_dim).to(self._device)
        with torch.no_grad():
            return top_k_targets(self._teacher.last(*batch.inputs)[0].cpu())


def top_k_targets(log_assignment: Float[Tensor, "rows columns"]) -> SoftTargets:
    """Return the top-k candidates of each keypoint from a log assignment (m + 1, n + 1)."""
    (partners0, probabilities0), (partners1, probabilities1) = map(
        _top_k, (log_assignment[:-1], log_assignment[:, :-1].T)
    )
    return SoftTargets(partners0, probabilities0, partners1, probabilities1)


def unmatched_targets(m: int, n: int) -> SoftTargets:
    """Return the soft targets of a negative pair."""
    certain = torch.zeros(TOP_K, dtype=torch.float32, device="cpu")
    certain[0] = 1
    partners = (_unmatched(count, torch.device("cpu")) for count in (m, n))
    return SoftTargets(next(partners), certain.repeat(m, 1), next(partners), certain.repeat(n, 1))


def is_negative(sample: PairSample) -> bool:
    """Whether all keypoints are labeled as unmatched."""
    return all(bool((matches == UNMATCHED).all()) for matches in (sample.matches0, sample.matches1))


def to_record(soft_targets: SoftTargets) -> dict[str, np.ndarray]:
    """Convert soft targets to a record, in 16 bits per value."""
    return {
        name: values.numpy().astype(np.int16 if name.startswith("partners") else np.float16)
        for name, values in soft_targets._asdict().items()
    }


def from_record(record: dict[str, np.ndarray]) -> SoftTargets:
    """Invert `to_record`."""
    return SoftTargets(
        *(
            torch.from_numpy(record[name].astype(np.int64 if name.startswith("partners") else np.float32))
            for name in SoftTargets._fields
        )
    )


def features_digest(features: Features) -> str:
    """Return a short digest of the inputs of a teacher."""
    tensors = (features.keypoints, features.descriptors, features.scales, features.orientations)
    content = [tensor.numpy().tobytes() for tensor in tensors if tensor is not None]
    return bytes_digest(b"".join([repr(features.image_size).encode(), *content]))[:SHORT_DIGEST_LENGTH]


def weights_digest(network: LightGlue) -> str:
    """Return a short digest of all weights."""
    parts = [name.encode() + tensor.cpu().numpy().tobytes() for name, tensor in network.state_dict().items()]
    return bytes_digest(b"".join(parts))[:SHORT_DIGEST_LENGTH]


def _unmatched(count: int, device: torch.device) -> Int[Tensor, "k p"]:
    return torch.full((count, TOP_K), UNMATCHED, dtype=torch.int64, device=device)


def _top_k(log_probabilities: Float[Tensor, "k others"]) -> tuple[Int[Tensor, "k p"], Float[Tensor, "k p"]]:
    """Return exactly `TOP_K` candidates, `UNMATCHED` for none, and their probabilities."""
    k, others = log_probabilities.shape
    top = log_probabilities.softmax(1).topk(min(TOP_K, others), dim=1)
    partners = _unmatched(k, top.values.device)
    probabilities = torch.zeros_like(partners, dtype=torch.float32)
    partners[:, : top.indices.shape[1]] = top.indices.where(top.indices < others - 1, UNMATCHED)
    probabilities[:, : top.values.shape[1]] = top.values.float()
    return partners, probabilities
