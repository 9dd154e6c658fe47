"""Pairs whose truth is known because they were made: keypoints at random, the same again a little moved and shuffled.

Run as a program, it trains a tiny network on them: `python -m tests.helpers.synthetic_pairs FOLDER PAIRS BATCH [SECONDS A STEP]`;
tests kill it, resume it, and run two of it under torchrun.
"""

import sys
import time
from pathlib import Path

import torch

from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.training.data.pairs import PairSample, PairSource
from tiepoint.training.distillation import DistillationPairs
from tiepoint.training.distributed import Processes, joined_processes
from tiepoint.training.initialization import random_network
from tiepoint.training.loop import Session, StepReport
from tiepoint.training.objective import Objective
from tiepoint.training.schedule import Budget, Schedule
from tiepoint.training.trainer import StepSettings, Trainer
from tiepoint.training.validation import Figures
from tiepoint.types import Features

SHAPE = LightGlueShape(input_dim=16, dim=16, layers=2, heads=2)
SETTINGS = {"recipe": "synthetic"}
NOTHING = Figures(
    precision=0.5, recall=0.5, auc=0.5, matches=1.0, correct=0.5, layers=2.0, seconds=0.1, pairs=1
)


class SyntheticPairs(PairSource):
    """Images of 256 x 256 px with 20 to 23 keypoints, of which 16 match."""

    kind, descriptor_dim, position_dim, fingerprint = "synthetic", 16, 2, "synthetic"

    def __getitem__(self, index: int) -> PairSample:
        random = torch.Generator().manual_seed(index)
        count, matched = 20 + index % 4, 16
        descriptors = torch.nn.functional.normalize(torch.randn(count + 4, 16, generator=random), dim=1)
        keypoints = 255 * torch.rand(count + 4, 2, generator=random)
        order = torch.randperm(count, generator=random)
        moved = torch.cat((torch.arange(matched), torch.arange(count, count + 4)))[order[order < matched + 4]]
        matches0, matches1 = torch.full((count,), -1), torch.full((len(moved),), -1)
        (of_matches,) = (moved < matched).nonzero(as_tuple=True)
        matches0[moved[of_matches]], matches1[of_matches] = of_matches, moved[of_matches]
        noise = 0.1 * torch.randn(len(moved), 16, generator=random)
        return PairSample(
            features0=features(keypoints[:count], descriptors[:count]),
            features1=features(0.9 * keypoints[moved] + 5, descriptors[moved] + noise),
            matches0=matches0,
            matches1=matches1,
        )


def features(keypoints: torch.Tensor, descriptors: torch.Tensor) -> Features:
    return Features(
        keypoints=keypoints,
        scores=torch.ones(len(keypoints)),
        descriptors=torch.nn.functional.normalize(descriptors, dim=1),
        image_size=(256, 256),
    )


def make_trainer(
    folder: Path,
    *,
    pairs: int,
    batch_size: int = 2,
    accumulate: int = 1,
    processes: Processes | None = None,
    source: PairSource | None = None,
    shape: LightGlueShape = SHAPE,
) -> Trainer:
    settings = StepSettings(
        schedule=Schedule(peak=1e-3), budget=Budget(pairs=pairs), batch_size=batch_size, accumulate=accumulate
    )
    taught = isinstance(source, DistillationPairs)
    objective = Objective(random_network(shape, seed=3), teacher_weight=0.5 if taught else 0.0)
    alone = Processes(0, 1, torch.device("cpu"))
    return Trainer(objective, source or SyntheticPairs(), settings, processes or alone, folder)


def with_soft_targets(folder: Path) -> DistillationPairs:
    """The pairs with what a network of random weights predicts for them."""
    teacher = random_network(SHAPE, seed=9).eval().requires_grad_(False)
    return DistillationPairs(SyntheticPairs(), teacher, folder / "features")


def make_session(trainer: Trainer, **options: object) -> Session:
    defaults = {"folder": trainer.folder, "settings": SETTINGS, "validate": lambda network: NOTHING}
    return Session(trainer=trainer, **(defaults | options))  # type: ignore[arg-type]


def main(folder: str, pairs: str, batch_size: str, delay: str = "0") -> None:
    def wait(report: StepReport) -> None:
        time.sleep(float(delay))

    torch.set_num_threads(1)
    with joined_processes(torch.device("cpu")) as processes:
        source = processes.lead_first(lambda: with_soft_targets(Path(folder)))
        trainer = make_trainer(
            Path(folder), pairs=int(pairs), batch_size=int(batch_size), processes=processes, source=source
        )
        session = make_session(trainer, checkpoint_seconds=0.0, on_step=wait)
        session.resume()
        session.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
