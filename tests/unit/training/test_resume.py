"""The settings of a resumed run: what must be the same, and what may change."""

from typing import Any

import pytest
import torch
from torch import nn

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.training.config import TrainConfig
from tiepoint.training.distributed import DistributedContext
from tiepoint.training.initialization import InitialWeights, Pretrained
from tiepoint.training.resume import resume_settings


def settings(world_size: int = 1, **parts: Any) -> dict[str, Any]:
    config = TrainConfig().replace(**parts)
    extractor = NeuralExtractor(nn.Linear(1, 1), ExtractionSettings(kind="test@1"))
    initial = InitialWeights(config=config.model, pretrained=Pretrained("test", extractor, None))
    return resume_settings(config, initial, DistributedContext(0, world_size, torch.device("cpu")))


def test_values_are_plain_and_flat() -> None:
    values = settings()
    assert all(value is None or isinstance(value, bool | int | float | str) for value in values.values())
    assert values["optim.schedule.warmup"] == 0.02
    assert (values["recipe"], values["features"], values["model.layers"]) == ("homography", "test@1", 5)


@pytest.mark.parametrize(
    "parts",
    [
        {"run": {"minutes": 5.0}},
        {"run": {"pairs": 100, "gradient_checkpointing": True, "validations": 3}},
        {"data": {"cache": "elsewhere", "val": "val", "colmap": "sparse"}},
        {"optim": {"batch_size": 4, "accumulate": 2}},
        {"model": {"layers": 5, "width": 128}},
    ],
    ids=str,
)
def test_these_may_change(parts: dict[str, Any]) -> None:
    assert settings(**parts) == settings()


@pytest.mark.parametrize(
    "parts",
    [
        {"run": {"seed": 1}},
        {"optim": {"learning_rate": 1e-4}},
        {"optim": {"batch_size": 4}},
        {"model": {"layers": 4}},
        {"model": {"teacher": "official"}},
        {"data": {"negatives": 0.1}},
        {"data": {"warps": {"resize": 320}}},
    ],
    ids=str,
)
def test_these_must_not_change(parts: dict[str, Any]) -> None:
    assert settings(**parts) != settings()


def test_processes_may_share_the_batch() -> None:
    assert settings(2, optim={"batch_size": 4}) == settings(1, optim={"batch_size": 8})
