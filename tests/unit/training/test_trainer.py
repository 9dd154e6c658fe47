"""The trainer: each step is a function of the state before it. Sessions: killed and resumed, they end at the same bits."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from tests.helpers.synthetic_pairs import SETTINGS, SHAPE, SyntheticPairs, make_session, make_trainer
from torch import Tensor, nn

from tiepoint.errors import StoreError, TrainingError
from tiepoint.training.checkpoints import Checkpoint, load_checkpoint
from tiepoint.training.data.pairs import PairBatch, PairSample, SoftTargets
from tiepoint.training.distillation import DistillationPairs
from tiepoint.training.distributed import Processes
from tiepoint.training.initialization import random_network
from tiepoint.training.logs import STEPS, VALIDATIONS, read_rows
from tiepoint.training.loop import StepReport
from tiepoint.training.objective import TERMS, Objective
from tiepoint.training.trainer import DUMP, Trainer, prefetched


class OrientedPairs(SyntheticPairs):
    """Keypoints have scales and orientations too."""

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
    figures = []
    while trainer.done < 1:
        figures.append(trainer.take_step())
    trainer.close()
    return figures


class Stopped(Exception):
    """Stands for kill -9: nothing is tidied up."""


def stop_after(step: int):
    def stop(report: StepReport) -> None:
        if report.figures["step"] == step:
            raise Stopped

    return stop


class TestStep:
    def test_the_loss_falls(self, tmp_path: Path) -> None:
        figures = train_all(make_trainer(tmp_path, pairs=240, batch_size=4))
        first, last = (sum(f["total"] for f in part) / 10 for part in (figures[:10], figures[-10:]))
        assert last < 0.8 * first

    def test_it_tells_what_was_done(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=4, batch_size=2)
        figures = trainer.take_step()
        assert set(figures) >= {"step", "pairs", "seconds", "gradient", "learning_rate", *TERMS}
        assert (figures["step"], figures["pairs"], trainer.done) == (1, 2, 0.5)
        assert figures["seconds"] > 0
        trainer.close()

    def test_small_batches_accumulate_to_a_large_one(self, tmp_path: Path) -> None:
        one, four = (
            make_trainer(tmp_path, pairs=24, batch_size=4),
            make_trainer(tmp_path, pairs=24, batch_size=1, accumulate=4),
        )
        losses = [[f["total"] for f in train_all(trainer)] for trainer in (one, four)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)

    def test_each_step_sees_the_next_pairs(self, tmp_path: Path) -> None:
        seen = []

        class Watched(SyntheticPairs):
            def batch(self, indices: Sequence[int]) -> PairBatch:
                seen.append(list(indices))
                return super().batch(indices)

        trainer = make_trainer(tmp_path, pairs=6, batch_size=2)
        trainer.source = Watched()
        train_all(trainer)
        assert seen[:3] == [[0, 1], [2, 3], [4, 5]]

    def test_long_gradients_are_cut(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=2)
        assert trainer.take_step()["gradient"] > 1.0
        length = torch.stack(
            [p.grad.norm() for p in trainer.network.parameters() if p.grad is not None]
        ).norm()
        assert length.item() == pytest.approx(1.0, rel=1e-4)
        trainer.close()

    def test_scales_and_orientations_are_learned_from_too(self, tmp_path: Path) -> None:
        trainer = make_trainer(
            tmp_path, pairs=8, source=OrientedPairs(), shape=replace(SHAPE, position_dim=4)
        )
        before = weights(trainer)["posenc.Wr.weight"]
        train_all(trainer)
        moved = (weights(trainer)["posenc.Wr.weight"] - before).abs().amax(0)
        assert (moved > 0).tolist() == [True] * 4

    def test_torchs_own_generator_is_left_alone(self, tmp_path: Path) -> None:
        before = torch.get_rng_state()
        train_all(make_trainer(tmp_path, pairs=4))
        assert torch.equal(torch.get_rng_state(), before)


def spoil(trainer: Trainer) -> None:
    with torch.no_grad():
        trainer.network.posenc.Wr.weight[0, 0] = torch.nan


class TestNaN:
    def test_it_stops_with_a_dump(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=20)
        trainer.take_step()
        spoil(trainer)
        before = weights(trainer)
        with pytest.raises(TrainingError, match=r"before step 2, because total nan.*dump\.pt.*--resume"):
            trainer.take_step()
        dump = torch.load(tmp_path / DUMP, weights_only=True)
        assert dump["step"] == 1
        assert "posenc.Wr.weight" in dump["parameters"]
        assert all(trainer.network.get_parameter(name).grad.isnan().any() for name in dump["parameters"])
        assert dump["batches"][0]["matches0"].shape[0] == 2
        assert math.isnan(dump["terms"]["total"])
        assert all(torch.equal(dump["network"][n].isnan(), before[n].isnan()) for n in before)
        trainer.close()

    def test_a_single_bad_gradient_is_named_alone(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=20)
        bad = trainer.network.token_confidence[0].token[0].bias
        bad.register_hook(lambda gradient: gradient * torch.nan)
        with pytest.raises(TrainingError, match="because gradient nan"):
            trainer.take_step()
        names = [name for name, parameter in trainer.network.named_parameters() if parameter is bad]
        assert torch.load(tmp_path / DUMP, weights_only=True)["parameters"] == names

    def test_the_dump_holds_what_the_teacher_said(self, tmp_path: Path) -> None:
        class Taught(SyntheticPairs):
            def __getitem__(self, index: int) -> PairSample:
                sample = super().__getitem__(index)
                sides = (
                    (matches[:, None], torch.ones(len(matches), 1))
                    for matches in (sample.matches0, sample.matches1)
                )
                return replace(sample, soft_targets=SoftTargets(*chain.from_iterable(sides)))

        trainer = make_trainer(tmp_path, pairs=20)
        trainer.source = Taught()
        spoil(trainer)
        with pytest.raises(TrainingError):
            trainer.take_step()
        (batch,) = torch.load(tmp_path / DUMP, weights_only=True)["batches"]
        expected = Taught().batch([0, 1]).soft_targets
        assert expected is not None
        assert torch.equal(batch["soft_targets"][2], expected.partners1)
        trainer.close()

    def test_the_checkpoint_before_stays(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=20)

        def spoil_it(report: StepReport) -> None:
            spoil(trainer)

        with pytest.raises(TrainingError):
            make_session(trainer, checkpoint_seconds=0.0, on_step=spoil_it).run()
        found = load_checkpoint(tmp_path, SETTINGS)
        assert found is not None
        assert found.step == 1
        assert not any(tensor.isnan().any() for tensor in found.network.values())


class Second(Processes):
    """The second of two processes; the first one says that each of its steps took 7 seconds."""

    folder: ClassVar[Path]
    waited_for: ClassVar[list[list[str]]]
    """What was in the folder whenever it waited."""

    def share(self, module: nn.Module) -> nn.Module:
        return module

    def mean(self, values: Tensor) -> Tensor:
        return values

    def same(self, value: Any) -> Any:
        assert isinstance(value, float)
        return 7.0

    def wait(self) -> None:
        self.waited_for.append(sorted(path.name for path in self.folder.iterdir()))


class TestSecondProcess:
    """What two real ones do is in tests/e2e/test_train.py."""

    @pytest.fixture
    def second(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Processes:
        monkeypatch.setattr(Second, "folder", tmp_path, raising=False)
        monkeypatch.setattr(Second, "waited_for", [], raising=False)
        return Second(1, 2, torch.device("cpu"))

    @pytest.fixture
    def spoilt(self, tmp_path: Path, second: Processes) -> Iterator[Trainer]:
        trainer = make_trainer(tmp_path, pairs=20, processes=second)
        spoil(trainer)
        yield trainer
        trainer.close()

    def test_the_first_ones_seconds_count(self, tmp_path: Path, second: Processes) -> None:
        trainer = make_trainer(tmp_path, pairs=20, processes=second)
        assert [trainer.take_step()["seconds"] for _ in range(2)] == [7.0, 14.0]
        trainer.close()

    def test_its_dump_is_its_own_and_it_stops_when_the_others_have_theirs(
        self, tmp_path: Path, spoilt: Trainer
    ) -> None:
        with pytest.raises(TrainingError, match=r"dump-1\.pt"):
            spoilt.take_step()
        assert Second.waited_for == [["dump-1.pt"]]
        batch = torch.load(tmp_path / "dump-1.pt", weights_only=True)["batches"][0]
        assert torch.equal(batch["descriptors0"], SyntheticPairs().batch([2, 3]).descriptors0)

    def test_it_does_not_leave_the_others_waiting_when_its_disk_is_full(
        self, spoilt: Trainer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(TrainingError, match=r"total nan.*are lost: .*No space left on device.*--resume"):
            spoilt.take_step()
        assert Second.waited_for == [[]]


class TestObjective:
    def test_a_teacher_changes_the_loss_and_stays_as_it_is(self, tmp_path: Path) -> None:
        teacher = random_network(SHAPE, seed=9).eval().requires_grad_(False)
        source = DistillationPairs(SyntheticPairs(), teacher, tmp_path)
        objective = Objective(random_network(SHAPE, seed=3), teacher_weight=0.5)
        total, *_, distance = objective(source.batch(range(3)))
        alone = Objective(random_network(SHAPE, seed=3))(SyntheticPairs().batch(range(3)))
        assert distance > 0
        assert alone[-1] == 0
        assert total.item() == pytest.approx((0.5 * alone[0] + 0.5 * distance).item(), rel=1e-5)
        total.backward()
        assert all(parameter.grad is None for parameter in teacher.parameters())

    def test_gradient_checkpointing_changes_memory_and_nothing_else(self) -> None:
        gradients = []
        for checkpointing in (False, True):
            network = random_network(SHAPE, seed=3).train()
            Objective(network, checkpointing=checkpointing)(SyntheticPairs().batch(range(3)))[0].backward()
            gradients.append({name: p.grad for name, p in network.named_parameters()})
        assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])

    def test_mixed_precision_comes_close(self) -> None:
        exact, mixed = (
            Objective(random_network(SHAPE, seed=3), mixed_precision=on)(SyntheticPairs().batch(range(3)))
            for on in (False, True)
        )
        assert mixed.dtype == torch.float32
        assert mixed[0].item() == pytest.approx(exact[0].item(), rel=0.01)


class TestSession:
    @pytest.mark.parametrize("killed_at", [(1,), (3, 4, 7)], ids=str)
    def test_killed_and_resumed_it_ends_at_the_same_bits(
        self, tmp_path: Path, killed_at: tuple[int, ...]
    ) -> None:
        undisturbed = make_trainer(tmp_path / "a", pairs=20)
        (tmp_path / "a").mkdir()
        make_session(undisturbed, checkpoint_seconds=0.0).run()
        (tmp_path / "b").mkdir()
        for step in killed_at:
            session = make_session(
                make_trainer(tmp_path / "b", pairs=20), checkpoint_seconds=0.0, on_step=stop_after(step)
            )
            session.resume()
            with pytest.raises(Stopped):
                session.run()
        resumed = make_trainer(tmp_path / "b", pairs=20)
        session = make_session(resumed, checkpoint_seconds=0.0)
        session.resume()
        assert resumed.step == killed_at[-1]
        session.run()
        assert same(weights(resumed), weights(undisturbed))
        losses = [[row["total"] for row in read_rows(tmp_path / name / STEPS)] for name in "ab"]
        assert losses[0] == losses[1]

    def test_steps_since_the_last_checkpoint_are_done_again(self, tmp_path: Path) -> None:
        undisturbed = make_trainer(tmp_path, pairs=12)
        train_all(undisturbed)
        trainer = make_trainer(tmp_path, pairs=12)
        trainer.take_step()
        make_session(trainer)._save()
        trainer.take_step()  # lost
        trainer.close()
        resumed = make_trainer(tmp_path, pairs=12)
        session = make_session(resumed)
        session.resume()
        assert resumed.step == 1
        session.run()
        assert same(weights(resumed), weights(undisturbed))

    def test_minutes_count_over_all_parts(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=4)
        train_all(trainer)
        resumed = make_trainer(tmp_path, pairs=8)
        resumed.restore(Checkpoint(settings=SETTINGS, **trainer.state()))
        assert resumed.seconds == trainer.seconds > 0
        resumed.take_step()
        assert resumed.seconds > trainer.seconds
        resumed.close()

    def test_another_training_is_refused(self, tmp_path: Path) -> None:
        make_session(make_trainer(tmp_path, pairs=2)).run()
        with pytest.raises(StoreError, match="recipe 'synthetic', not 'another'"):
            make_session(make_trainer(tmp_path, pairs=2), settings={"recipe": "another"}).resume()

    def test_it_validates_on_the_way_and_shows_every_step(self, tmp_path: Path) -> None:
        reports: list[StepReport] = []
        make_session(make_trainer(tmp_path, pairs=20), validations=4, on_step=reports.append).run()
        validations = [(row["step"], row["pairs"]) for row in read_rows(tmp_path / VALIDATIONS)]
        assert validations == [(3, 6), (5, 10), (8, 16), (10, 20)]
        assert [report.figures["step"] for report in reports] == list(range(1, 11))
        assert reports[4].done == 0.5
        assert reports[-1].seconds_left == 0.0


def test_batches_come_in_order() -> None:
    numbers = iter([range(2), range(2, 4), range(4, 6), range(6, 8)])
    batches = prefetched(SyntheticPairs(), numbers)
    first = next(batches)
    batches.close()
    assert torch.equal(first.descriptors0, SyntheticPairs().batch(range(2)).descriptors0)
