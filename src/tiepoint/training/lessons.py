"""What a teacher says of pairs: asked once for each two images, kept as the few partners that it deems possible."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.networks.lightglue import LightGlue
from tiepoint.networks.lightglue_layers import LayerwiseLightGlue
from tiepoint.store import Store
from tiepoint.training.ground_truth import UNMATCHED
from tiepoint.training.processes import has_fast_bfloat16
from tiepoint.training.samples import Lesson, PairSample, PairSource, collate, digest, digest_of_keypoints

KIND = "lessons"
"""Of records: one for each two images."""

PARTNERS = 4
"""Of a keypoint, that are kept; a trained teacher rarely thinks of more than two."""

SHARD = 64
"""Lessons that are written together: what has to be asked again when the program is killed."""


class TaughtPairs(PairSource):
    """The pairs of another source, each with its lesson.

    A teacher is slower than its student, and training sees the same two images many times. So the teacher is asked
    when two images first meet, and its answer is kept in a store, as exactly as it is used: training goes on alike
    whether a lesson is new or was read.

    Args:
        source: of the pairs.
        teacher: in evaluation mode; takes the same features.
        folder: for stores of lessons, one for each teacher.
        identity: what the teacher is called there, see `tiepoint.training.starting.identity`.
    """

    def __init__(self, source: PairSource, teacher: LightGlue, folder: Path, identity: str) -> None:
        self.source = source
        self.kind, self.descriptor_dim = source.kind, source.descriptor_dim
        self.position_dim, self.fingerprint = source.position_dim, source.fingerprint
        self._device = next(teacher.parameters()).device
        self._teacher = LayerwiseLightGlue(teacher, mixed_precision=has_fast_bfloat16(self._device))
        settings = {"teacher": identity, "features": source.kind, "partners": PARTNERS}
        self._store = Store(
            folder / f"lessons-{digest(map(str, settings.values()))}", settings, check="headers"
        )
        self._new: dict[str, dict[str, np.ndarray]] = {}

    def __getitem__(self, index: int) -> PairSample:
        """The pair of a number, from 0 on, without an end."""
        sample = self.source[index]
        digests = [digest_of_keypoints(features) for features in (sample.features0, sample.features1)]
        in_order = digests == sorted(digests)
        lesson = self._lesson("-".join(sorted(digests)), sample if in_order else sample.swapped())
        return replace(sample, lesson=lesson if in_order else lesson.swapped())

    def _lesson(self, key: str, sample: PairSample) -> Lesson:
        """Known already, or asked for now."""
        if key not in self._new and not self._store.has(KIND, key):
            self._new[key] = lesson_to_record(self._ask(sample))
        record = self._new.get(key) or self._store.read(KIND, key)
        if len(self._new) >= SHARD:
            self._keep()
        return lesson_from_record(record)

    def _ask(self, sample: PairSample) -> Lesson:
        batch = collate([sample], self._teacher.network.shape.position_dim).to(self._device)
        with torch.no_grad():
            *_, last = self._teacher(*batch.inputs)
        return lesson_of(last.log_assignment[0].cpu())

    def _keep(self) -> None:
        self._store.write(KIND, self._new)
        self._new = {}
        self._store.done(KIND)  # learns what other processes have kept


def lesson_of(log_assignment: Float[Tensor, "rows columns"]) -> Lesson:
    """The most probable partners that a log assignment (m + 1, n + 1) gives to each keypoint."""
    (partners0, probabilities0), (partners1, probabilities1) = map(
        _likeliest, (log_assignment[:-1], log_assignment[:, :-1].T)
    )
    return Lesson(partners0, probabilities0, partners1, probabilities1)


def lesson_to_record(lesson: Lesson) -> dict[str, np.ndarray]:
    """Small: two bytes for each number."""
    return {
        name: values.numpy().astype(np.int16 if name.startswith("partners") else np.float16)
        for name, values in lesson._asdict().items()
    }


def lesson_from_record(record: dict[str, np.ndarray]) -> Lesson:
    """The inverse of `lesson_to_record`."""
    return Lesson(
        *(
            torch.from_numpy(record[name].astype(np.int64 if name.startswith("partners") else np.float32))
            for name in Lesson._fields
        )
    )


def _likeliest(
    log_probabilities: Float[Tensor, "k others"],
) -> tuple[Int[Tensor, "k p"], Float[Tensor, "k p"]]:
    """Partners, `UNMATCHED` for none, and their probabilities; always `PARTNERS` of them."""
    k, others = log_probabilities.shape
    found = log_probabilities.softmax(1).topk(min(PARTNERS, others), dim=1)
    partners, probabilities = torch.full((k, PARTNERS), UNMATCHED), torch.zeros(k, PARTNERS)
    partners[:, : found.indices.shape[1]] = found.indices.where(found.indices < others - 1, UNMATCHED)
    probabilities[:, : found.values.shape[1]] = found.values.float()
    return partners, probabilities
