"""The end of a training: metrics of all matchers, and the written folder."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.synthetic_pairs import METRICS, features, make_loop, make_trainer

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.lightglue.network import LightGlueShape
from tiepoint.presets import MODEL, TRAINING
from tiepoint.training.config import TrainConfig
from tiepoint.training.data.dataset import TrainingData
from tiepoint.training.data.homographic_warps import Warp
from tiepoint.training.distributed import DistributedContext
from tiepoint.training.initialization import InitialWeights, Pretrained, random_network
from tiepoint.training.report.finalize import finalize, notes_on
from tiepoint.training.report.html_report import REPORT
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import VALIDATION_PROTOCOLS, HeldOutPair, ValidationMetrics

SHAPE = LightGlueShape(input_dim=64, dim=16, layers=2, heads=2)


def finalize_training(folder: Path, rank: int) -> TrainingReport:
    """Finalize a training of 0 steps with one held-out pair."""
    config = TrainConfig().replace(model={"layers": 2, "width": 16})
    detector = ALIKED(ALIKED_VARIANTS["t16"])
    extractor = NeuralExtractor(detector, ExtractionSettings(kind="aliked-t16@1"))
    pretrained = Pretrained("aliked-t16", extractor, random_network(SHAPE, seed=1))
    trainer = make_trainer(
        folder, pairs=2, shape=SHAPE, context=DistributedContext(rank, 1, torch.device("cpu"))
    )
    random = torch.Generator().manual_seed(0)
    warp = Warp(
        features(250 * torch.rand(8, 2, generator=random), torch.randn(8, 64, generator=random)), np.eye(3)
    )
    data = TrainingData(
        dataset=trainer.dataset,
        held_out=[HeldOutPair(warp, warp)],
        protocol=VALIDATION_PROTOCOLS["homography-512"],
        problems=(),
    )
    loop = make_loop(trainer, validate=lambda network: METRICS)
    return finalize(config, loop, InitialWeights(config=config.model, pretrained=pretrained), data)


@pytest.mark.slow
def test_main_process_measures_and_writes_everything(tmp_path: Path) -> None:
    report = finalize_training(tmp_path, rank=0)
    assert list(report.metrics) == ["mutual nearest", "pretrained", "before", "trained", "trained, adaptive"]
    assert report.metrics["mutual nearest"].precision == 1.0
    assert {MODEL, TRAINING, REPORT, "config.json"} <= {path.name for path in tmp_path.iterdir()}
    assert json.loads((tmp_path / TRAINING).read_text())["extractor"] == "aliked-t16"


def test_other_processes_write_nothing(tmp_path: Path) -> None:
    assert finalize_training(tmp_path, rank=1).metrics == {}
    assert list(tmp_path.iterdir()) == []


def metrics(precision: float, recall: float) -> ValidationMetrics:
    return replace(METRICS, precision=precision, recall=recall)


def test_worse_than_before_is_said() -> None:
    """The two-minute example of the guide once ended with a recall of 64.6 % after 77.5 %, without a word."""
    (note,) = notes_on({"before": metrics(0.95, 0.775), "trained": metrics(0.95, 0.646)})
    assert "no better than before" in note
    assert "77.5 %" in note
    assert "64.6 %" in note
    assert "train longer" in note


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ({"before": metrics(0.5, 0.5), "trained": metrics(0.5, 0.5)}, ["before"]),
        ({"before": metrics(0.9, 0.5), "trained": metrics(0.8, 0.7)}, []),
        ({"before": metrics(0.0, 0.0), "trained": metrics(0.6, 0.6), "mutual nearest": metrics(0.7, 0.7)}, ["mutual"]),
        ({"before": metrics(0.0, math.nan), "trained": metrics(0.0, math.nan)}, ["before"]),
        ({"trained": metrics(0.0, 0.0)}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_notes_name_the_better_baselines(found: dict[str, ValidationMetrics], names: list[str]) -> None:
    notes = notes_on(found)
    assert len(notes) == len(names)
    assert all(name in note for name, note in zip(names, notes, strict=True))
