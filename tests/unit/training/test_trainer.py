"""The trainer: each step is a function of the previous state, and NaN stops all processes with a dump."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from tests.helpers.synthetic_pairs import SHAPE, SyntheticPairs, make_trainer
from torch import Tensor, nn

from tiepoint.errors import TrainingError
from tiepoint.training.data.pairs import PairBatch, PairSample, SoftTargets
from tiepoint.training.distributed import DistributedContext
from tiepoint.training.loss import LOSS_TERMS
from tiepoint.training.trainer import DUMP, Trainer, prefetch


class OrientedPairs(SyntheticPairs):
    """Pairs whose keypoints have scales and orientations."""

    position_dim = 4

    def __getitem__(self, index: int) -> PairSample:
        sample, random = super().__getitem__(index), torch.Generator().manual_seed(index)
        oriented = [
            replace(
                features,
                scales=1 + torch.rand(len(features), generator=random),
                orientations=torch.rand(len(features), generator=random),
            )
            for features in (sample.features0, sample.features1)
        ]
        return replace(sample, features0=oriented[0], features1=oriented[1])


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}


def same(weights0: dict[str, Tensor], weights1: dict[str, Tensor]) -> bool:
    return all(torch.equal(weights0[name], weights1[name]) for name in weights0)


def train_all(trainer: Trainer) -> list[dict[str, float]]:
    metrics = []
    while trainer.fraction_done < 1:
        metrics.append(trainer.train_step())
    trainer.close()
    return metrics


class TestStep:
    @pytest.mark.slow
    def test_loss_decreases(self, tmp_path: Path) -> None:
        metrics = train_all(make_trainer(tmp_path, pairs=240, batch_size=4))
        first, last = (sum(f["total"] for f in part) / 10 for part in (metrics[:10], metrics[-10:]))
        assert last < 0.8 * first

    def test_returns_metrics_of_the_step(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=4, batch_size=2)
        metrics = trainer.train_step()
        assert set(metrics) >= {"step", "pairs", "seconds", "gradient", "learning_rate", *LOSS_TERMS}
        assert (metrics["step"], metrics["pairs"], trainer.fraction_done) == (1, 2, 0.5)
        assert metrics["seconds"] > 0
        trainer.close()

    @pytest.mark.slow
    def test_accumulated_batches_equal_a_large_batch(self, tmp_path: Path) -> None:
        one, four = (
            make_trainer(tmp_path, pairs=24, batch_size=4),
            make_trainer(tmp_path, pairs=24, batch_size=1, accumulate=4),
        )
        losses = [[f["total"] for f in train_all(trainer)] for trainer in (one, four)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)

    def test_steps_use_consecutive_pairs(self, tmp_path: Path) -> None:
        requested = []

        class RecordingPairs(SyntheticPairs):
            def batch(self, indices: Sequence[int]) -> PairBatch:
                requested.append(list(indices))
                return super().batch(indices)

        trainer = make_trainer(tmp_path, pairs=6, batch_size=2)
        trainer.dataset = RecordingPairs()
        train_all(trainer)
        assert requested[:3] == [[0, 1], [2, 3], [4, 5]]

    def test_gradients_are_clipped(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=2)
        assert trainer.train_step()["gradient"] > 1.0
        length = torch.stack(
            [p.grad.norm() for p in trainer.network.parameters() if p.grad is not None]
        ).norm()
        assert length.item() == pytest.approx(1.0, rel=1e-4)
        trainer.close()

    def test_scales_and_orientations_are_used(self, tmp_path: Path) -> None:
        trainer = make_trainer(
            tmp_path, pairs=8, dataset=OrientedPairs(), shape=replace(SHAPE, position_dim=4)
        )
        before = weights(trainer)["posenc.Wr.weight"]
        train_all(trainer)
        moved = (weights(trainer)["posenc.Wr.weight"] - before).abs().amax(0)
        assert (moved > 0).tolist() == [True] * 4

    def test_global_random_state_is_unchanged(self, tmp_path: Path) -> None:
        before = torch.get_rng_state()
        train_all(make_trainer(tmp_path, pairs=4))
        assert torch.equal(torch.get_rng_state(), before)


def set_nan_weight(trainer: Trainer) -> None:
    with torch.no_grad():
        trainer.network.posenc.Wr.weight[0, 0] = torch.nan


class TestNaN:
    def test_training_stops_with_a_dump(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=20)
        trainer.train_step()
        set_nan_weight(trainer)
        before = weights(trainer)
        with pytest.raises(TrainingError, match=r"step 2.*total nan.*dump\.pt.*--resume"):
            trainer.train_step()
        dump = torch.load(tmp_path / DUMP, weights_only=True)
        assert dump["step"] == 1
        assert "posenc.Wr.weight" in dump["parameters"]
        assert all(trainer.network.get_parameter(name).grad.isnan().any() for name in dump["parameters"])
        assert dump["batches"][0]["matches0"].shape[0] == 2
        assert math.isnan(dump["terms"]["total"])
        assert all(torch.equal(dump["network"][n].isnan(), before[n].isnan()) for n in before)
        trainer.close()

    def test_dump_names_the_parameter_with_a_bad_gradient(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=20)
        bad = trainer.network.token_confidence[0].token[0].bias
        bad.register_hook(lambda gradient: gradient * torch.nan)
        with pytest.raises(TrainingError, match="gradient nan"):
            trainer.train_step()
        names = [name for name, parameter in trainer.network.named_parameters() if parameter is bad]
        assert torch.load(tmp_path / DUMP, weights_only=True)["parameters"] == names

    def test_dump_contains_soft_targets(self, tmp_path: Path) -> None:
        class PairsWithSoftTargets(SyntheticPairs):
            def __getitem__(self, index: int) -> PairSample:
                sample = super().__getitem__(index)
                sides = (
                    (matches[:, None], torch.ones(len(matches), 1))
                    for matches in (sample.matches0, sample.matches1)
                )
                return replace(sample, soft_targets=SoftTargets(*chain.from_iterable(sides)))

        trainer = make_trainer(tmp_path, pairs=20)
        trainer.dataset = PairsWithSoftTargets()
        set_nan_weight(trainer)
        with pytest.raises(TrainingError):
            trainer.train_step()
        (batch,) = torch.load(tmp_path / DUMP, weights_only=True)["batches"]
        expected = PairsWithSoftTargets().batch([0, 1]).soft_targets
        assert expected is not None
        assert torch.equal(batch["soft_targets"][2], expected.partners1)
        trainer.close()


class SecondProcess(DistributedContext):
    """The second of two processes; every step of the main process takes 7 seconds."""

    folder: ClassVar[Path]
    barriers: ClassVar[list[list[str]]]
    """Content of the folder at each barrier."""

    def wrap(self, module: nn.Module) -> nn.Module:
        return module

    def mean(self, values: Tensor) -> Tensor:
        return values

    def broadcast(self, value: Any) -> Any:
        assert isinstance(value, float)
        return 7.0

    def barrier(self) -> None:
        self.barriers.append(sorted(path.name for path in self.folder.iterdir()))


class TestSecondProcess:
    """Two real processes are tested in tests/e2e/test_train.py."""

    @pytest.fixture
    def second(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DistributedContext:
        monkeypatch.setattr(SecondProcess, "folder", tmp_path, raising=False)
        monkeypatch.setattr(SecondProcess, "barriers", [], raising=False)
        return SecondProcess(1, 2, torch.device("cpu"))

    @pytest.fixture
    def trainer(self, tmp_path: Path, second: DistributedContext) -> Iterator[Trainer]:
        trainer = make_trainer(tmp_path, pairs=20, context=second)
        set_nan_weight(trainer)
        yield trainer
        trainer.close()

    def test_seconds_of_the_main_process_count(self, tmp_path: Path, second: DistributedContext) -> None:
        trainer = make_trainer(tmp_path, pairs=20, context=second)
        assert [trainer.train_step()["seconds"] for _ in range(2)] == [7.0, 14.0]
        trainer.close()

    def test_writes_its_own_dump_before_the_barrier(self, tmp_path: Path, trainer: Trainer) -> None:
        with pytest.raises(TrainingError, match=r"dump-1\.pt"):
            trainer.train_step()
        assert SecondProcess.barriers == [["dump-1.pt"]]
        batch = torch.load(tmp_path / "dump-1.pt", weights_only=True)["batches"][0]
        assert torch.equal(batch["descriptors0"], SyntheticPairs().batch([2, 3]).descriptors0)

    def test_full_disk_does_not_block_the_other_processes(
        self, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(TrainingError, match=r"total nan.*No space left on device.*--resume"):
            trainer.train_step()
        assert SecondProcess.barriers == [[]]


def test_prefetched_batches_are_in_order() -> None:
    indices = iter([range(2), range(2, 4), range(4, 6), range(6, 8)])
    batches = prefetch(SyntheticPairs(), indices)
    first = next(batches)
    batches.close()
    assert torch.equal(first.descriptors0, SyntheticPairs().batch(range(2)).descriptors0)
