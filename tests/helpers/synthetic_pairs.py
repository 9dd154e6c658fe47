"""Synthetic pairs with known matches: random keypoints, and the same keypoints moved and shuffled.

Run as a program, it trains a tiny network on them:
`python -m tests.helpers.synthetic_pairs FOLDER PAIRS BATCH_SIZE [SECONDS_PER_STEP]`; tests kill it, resume it, and run
two of it under torchrun.
"""

import sys
import time
from pathlib import Path

import torch

from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.training.config import OptimConfig, RunConfig
from tiepoint.training.data.pairs import PairDataset, PairSample
from tiepoint.training.distillation import DistillationPairs
from tiepoint.training.distributed import DistributedContext, init_distributed
from tiepoint.training.initialization import random_network
from tiepoint.training.loop import StepReport, TrainingLoop
from tiepoint.training.loss import TrainingLoss
from tiepoint.training.schedule import Budget
from tiepoint.training.trainer import Trainer
from tiepoint.training.validation import ValidationMetrics
from tiepoint.types import Features

SHAPE = LightGlueShape(input_dim=16, dim=16, layers=2, heads=2)
SETTINGS = {"recipe": "synthetic"}
SINGLE_PROCESS = DistributedContext(0, 1, torch.device("cpu"))
METRICS = ValidationMetrics(
    precision=0.5, recall=0.5, auc=0.5, matches=1.0, correct=0.5, layers=2.0, seconds=0.1, pairs=1
)


class SyntheticPairs(PairDataset):
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
        (indices1,) = (moved < matched).nonzero(as_tuple=True)
        matches0[moved[indices1]], matches1[indices1] = indices1, moved[indices1]
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
    context: DistributedContext = SINGLE_PROCESS,
    dataset: PairDataset | None = None,
    shape: LightGlueShape = SHAPE,
) -> Trainer:
    config = OptimConfig(batch_size=batch_size, accumulate=accumulate)
    has_teacher = isinstance(dataset, DistillationPairs)
    loss = TrainingLoss(random_network(shape, seed=3), teacher_weight=0.5 if has_teacher else 0.0)
    return Trainer(loss, dataset or SyntheticPairs(), config, Budget(pairs=pairs), context, folder)


def with_soft_targets(folder: Path) -> DistillationPairs:
    """The pairs with the predictions of a randomly initialized teacher."""
    teacher = random_network(SHAPE, seed=9).eval().requires_grad_(False)
    return DistillationPairs(SyntheticPairs(), teacher, folder / "features")


def make_loop(trainer: Trainer, *, run: dict | None = None, **options: object) -> TrainingLoop:
    defaults = {"folder": trainer.folder, "settings": SETTINGS, "validate": lambda network: METRICS}
    return TrainingLoop(trainer=trainer, config=RunConfig(**(run or {})), **(defaults | options))  # type: ignore[arg-type]


def main(folder: str, pairs: str, batch_size: str, delay: str = "0") -> None:
    def wait(report: StepReport) -> None:
        time.sleep(float(delay))

    torch.set_num_threads(1)
    with init_distributed(torch.device("cpu")) as context:
        dataset = context.main_process_first(lambda: with_soft_targets(Path(folder)))
        trainer = make_trainer(
            Path(folder), pairs=int(pairs), batch_size=int(batch_size), context=context, dataset=dataset
        )
        loop = make_loop(trainer, run={"checkpoint_seconds": 0.0}, on_step=wait)
        loop.resume()
        loop.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
