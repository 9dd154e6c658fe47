"""The training loop around the steps: logs, checkpoints, validations and callbacks."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TypeAlias

from tiepoint.feature_store import JSONScalar
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.training.checkpoints import (
    BestWeights,
    Checkpoint,
    load_checkpoint,
    remove_temporary_files,
    save_checkpoint,
)
from tiepoint.training.config import RunConfig
from tiepoint.training.logs import TrainingLog
from tiepoint.training.trainer import Trainer
from tiepoint.training.validation import ValidationMetrics

logger = logging.getLogger(__name__)

StepCallback: TypeAlias = Callable[["StepReport"], None]
"""Called after every step, by the main process."""

Validate: TypeAlias = Callable[[LightGlue], ValidationMetrics]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """State of a training after a step.

    Attributes:
        fraction_done: Completed fraction of the training.
        seconds_left: Estimated remaining time at the current pace, without validations.
        metrics: Metrics of the step by name; see `Trainer.train_step`.
    """

    fraction_done: float
    seconds_left: float
    metrics: Mapping[str, float]


def no_callback(report: StepReport) -> None:
    """Do nothing; the default `StepCallback`."""


@dataclass(slots=True, kw_only=True)
class TrainingLoop:
    """One run of a training, which may continue an interrupted one.

    Attributes:
        trainer: Trainer that takes the steps.
        folder: Folder of checkpoints and logs.
        settings: Settings that a resumed run must share.
        validate: Function that measures the network, called at evenly spaced steps.
        validation: Digest of what `validate` measures; the best weights of another one are not resumed.
        config: Number of validations, checkpoint interval and logs.
        on_step: Callback after every step.
        best: Weights of the best validation so far, by F1 score, of the main process; None before the first.
    """

    trainer: Trainer
    folder: Path
    settings: Mapping[str, JSONScalar]
    validate: Validate
    validation: str = ""
    config: RunConfig = field(default_factory=RunConfig)
    on_step: StepCallback = no_callback
    best: BestWeights | None = None
    _saved_at: float = field(default_factory=monotonic)

    def resume(self) -> None:
        """Resume from the checkpoint in the folder, if there is one.

        Raises:
            StoreError: If the checkpoint has other settings, or is damaged.
        """
        context = self.trainer.context
        checkpoint = None
        if context.is_main_process:
            remove_temporary_files(self.folder)
            checkpoint = load_checkpoint(self.folder, self.settings)
        if checkpoint := context.broadcast(checkpoint):
            self.trainer.restore(checkpoint)
            self.best = self._comparable(checkpoint.best)
            logger.info("resuming after step %d of %s", self.trainer.step, self.folder)

    def run(self) -> None:
        """Take all remaining steps, and write a final checkpoint.

        Raises:
            TrainingError: If the loss is not finite.
            InvalidInput: If a file cannot be written; the last checkpoint is kept.
        """
        if self.trainer.context.is_main_process:
            with TrainingLog(
                self.folder, after=self.trainer.step, tensorboard=self.config.tensorboard
            ) as log:
                self._steps(log)
                self._save()
        else:
            self._steps(None)
        self.trainer.close()

    def select_best(self) -> None:
        """Load the weights of the best validation into the network, after `run`; its checkpoint has the last ones."""
        if self.best is not None:
            self.trainer.network.load_state_dict(dict(self.best.network))

    def _steps(self, log: TrainingLog | None) -> None:
        while self.trainer.fraction_done < 1:
            validations = self._validations_due()
            metrics = self.trainer.train_step()
            if log is None:
                continue
            log.step(metrics)
            if self._validations_due() > validations:
                log.validation(self._validate())
            if monotonic() - self._saved_at >= self.config.checkpoint_seconds:
                self._save()
            self.on_step(self._report(metrics))

    def _validations_due(self) -> int:
        return math.floor(min(self.trainer.fraction_done, 1.0) * self.config.validations)

    def _validate(self) -> dict[str, float]:
        """Validate the network, keep its weights if they are the best, and return the row of the log."""
        metrics = self.validate(self.trainer.network)
        if self.best is None or metrics.f1 > self.best.f1:
            self.best = self._current_weights(metrics.f1)
        logger.info("step %d: validation F1 score %.3f", self.trainer.step, metrics.f1)
        row = metrics.to_dict()
        del row["pairs"]  # the number of held-out pairs; in the log, "pairs" counts training pairs
        return {"step": self.trainer.step, "pairs": self.trainer.pairs, **row}

    def _comparable(self, best: BestWeights | None) -> BestWeights | None:
        """Return the best weights if they were validated like those of this run."""
        return best if best is not None and best.validation == self.validation else None

    def _current_weights(self, f1: float) -> BestWeights:
        trainer = self.trainer
        network = {name: tensor.cpu().clone() for name, tensor in trainer.network.state_dict().items()}
        return BestWeights(
            step=trainer.step, pairs=trainer.pairs, f1=f1, validation=self.validation, network=network
        )

    def _save(self) -> None:
        state = self.trainer.state()
        save_checkpoint(self.folder, Checkpoint(settings=dict(self.settings), best=self.best, **state))
        self._saved_at = monotonic()
        logger.info("step %d: checkpoint in %s", self.trainer.step, self.folder)

    def _report(self, metrics: Mapping[str, float]) -> StepReport:
        trainer = self.trainer
        return StepReport(
            fraction_done=trainer.fraction_done, seconds_left=trainer.seconds_left, metrics=metrics
        )
