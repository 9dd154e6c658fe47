"""A report of a training with one matcher, and a held-out pair."""

import math
from pathlib import Path

import numpy as np
import torch
from tests.helpers.synthetic_pairs import SHAPE, features

from tiepoint.training.config import TrainConfig
from tiepoint.training.data.homographic_warps import Warp
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import VALIDATION_PROTOCOLS, HeldOutPair, ValidationMetrics
from tiepoint.types import Features


def make_report(folder: Path) -> TrainingReport:
    metrics = ValidationMetrics(
        precision=0.5, recall=math.nan, auc=0.25, matches=12.0, correct=6.0, layers=2.0, seconds=0.1, pairs=1
    )
    return TrainingReport(
        folder=folder,
        recipe="homography",
        extractor="aliked-n16",
        kind="aliked-n16@1",
        shape=SHAPE,
        parameters=1234,
        config=TrainConfig(),
        settings={"seed": 0},
        steps=3,
        pairs=6,
        best_pairs=4,
        seconds=1.5,
        protocol=VALIDATION_PROTOCOLS["homography-512"],
        metrics={"trained": metrics},
        notes=("no better than before",),
        problems=("cannot read <b>.jpg",),
        versions={"torch": "2"},
    )


def make_pair(image: Path | None) -> HeldOutPair:
    generator = torch.Generator().manual_seed(0)
    random = features(60 * torch.rand(9, 2, generator=generator), torch.randn(9, 16, generator=generator))
    with_source = Features(
        keypoints=random.keypoints,
        scores=random.scores,
        descriptors=random.descriptors,
        image_size=(64, 64),
        source=None if image is None else str(image),
    )
    return HeldOutPair(Warp(with_source, np.eye(3)), Warp(with_source, np.eye(3)))
