"""The loop around the steps: logs, checkpoints, validations, and who may watch."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TypeAlias

from tiepoint.feature_store import JSONScalar
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.training.checkpoints import Checkpoint, clear_leftovers, load_checkpoint, save_checkpoint
from tiepoint.training.logs import TrainingLog
from tiepoint.training.trainer import Trainer
from tiepoint.training.validation import Figures

logger = logging.getLogger(__name__)

OnStep: TypeAlias = Callable[["StepReport"], None]
"""Is called after every step, by the leading process."""

Validate: TypeAlias = Callable[[LightGlue], Figures]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What there is to see after a step.

    Attributes:
        done: share of the training that is done.
        seconds_left: at the present pace; validations come on top.
        figures: of the step, by name; see `Trainer.take_step`.
    """

    done: float
    seconds_left: float
    figures: Mapping[str, float]


def unseen(report: StepReport) -> None:
    """The `OnStep` that shows nothing."""


@dataclass(slots=True, kw_only=True)
class Session:
    """One run of a training, which may be a part of it.

    Attributes:
        trainer: is taken to its end by `run`.
        folder: of checkpoints and logs.
        settings: that a resumed run must have too.
        validate: is called `validations` times on the way.
        validations: spread evenly over the training.
        checkpoint_seconds: a checkpoint is written when so much time has passed; 0: after every step.
        tensorboard: see `TrainingLog`.
        on_step: see `OnStep`.
    """

    trainer: Trainer
    folder: Path
    settings: Mapping[str, JSONScalar]
    validate: Validate
    validations: int = 10
    checkpoint_seconds: float = 60.0
    tensorboard: bool = False
    on_step: OnStep = unseen
    _saved: float = field(default_factory=monotonic)

    def resume(self) -> None:
        """Go on from the folder's checkpoint, where there is one.

        Raises:
            StoreError: it is of other settings, or damaged.
        """
        processes = self.trainer.processes
        found = None
        if processes.leads:
            clear_leftovers(self.folder)
            found = load_checkpoint(self.folder, self.settings)
        if checkpoint := processes.same(found):
            self.trainer.restore(checkpoint)
            logger.info("goes on after step %d of %s", self.trainer.step, self.folder)

    def run(self) -> None:
        """Take all steps that are left, and write a last checkpoint.

        Raises:
            TrainingError: the loss isn't a number any more.
            InvalidInput: a file can't be written; the last checkpoint stays.
        """
        if self.trainer.processes.leads:
            with TrainingLog(self.folder, after=self.trainer.step, tensorboard=self.tensorboard) as log:
                self._steps(log)
                self._save()
        else:
            self._steps(None)
        self.trainer.close()

    def _steps(self, log: TrainingLog | None) -> None:
        while self.trainer.done < 1:
            passed = self._validations_due()
            figures = self.trainer.take_step()
            if log is None:
                continue
            log.step(figures)
            if self._validations_due() > passed:
                log.validation(self._validated())
            if monotonic() - self._saved >= self.checkpoint_seconds:
                self._save()
            self._show(figures)

    def _validations_due(self) -> int:
        return math.floor(min(self.trainer.done, 1.0) * self.validations)

    def _validated(self) -> dict[str, float]:
        figures = self.validate(self.trainer.network).to_dict()
        del figures["pairs"]  # of the held-out ones; the log's are those that the network has seen
        return {"step": self.trainer.step, "pairs": self.trainer.pairs, **figures}

    def _save(self) -> None:
        save_checkpoint(self.folder, Checkpoint(settings=dict(self.settings), **self.trainer.state()))
        self._saved = monotonic()

    def _show(self, figures: Mapping[str, float]) -> None:
        trainer = self.trainer
        left = trainer.settings.budget.seconds_left(trainer.pairs, trainer.seconds)
        self.on_step(StepReport(done=trainer.done, seconds_left=max(0.0, left), figures=figures))
