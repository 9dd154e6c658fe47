"""The training loop: interrupted and resumed runs are bit-identical to uninterrupted ones."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.helpers.synthetic_pairs import METRICS, SETTINGS, make_loop, make_trainer
from torch import Tensor

from tiepoint.errors import StoreError, TrainingError
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.training.checkpoints import Checkpoint, load_checkpoint
from tiepoint.training.logs import STEPS, VALIDATIONS, read_rows
from tiepoint.training.loop import StepCallback, StepReport, TrainingLoop
from tiepoint.training.trainer import Trainer
from tiepoint.training.validation import ValidationMetrics

EVERY_STEP = {"checkpoint_seconds": 0.0}
"""Settings of a run that writes a checkpoint after every step."""


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}


def same(weights0: dict[str, Tensor], weights1: dict[str, Tensor]) -> bool:
    return all(torch.equal(weights0[name], weights1[name]) for name in weights0)


def take_all_steps(trainer: Trainer) -> None:
    while trainer.fraction_done < 1:
        trainer.train_step()
    trainer.close()


def set_nan_weight(trainer: Trainer) -> None:
    with torch.no_grad():
        trainer.network.posenc.Wr.weight[0, 0] = torch.nan


class Killed(Exception):
    """Simulates kill -9: nothing is cleaned up."""


def kill_after(step: int) -> StepCallback:
    def kill(report: StepReport) -> None:
        if report.metrics["step"] == step:
            raise Killed

    return kill


class TestTrainingLoop:
    @pytest.mark.slow
    @pytest.mark.parametrize("killed_at", [(1,), (3, 4, 7)], ids=str)
    def test_interrupted_run_is_bit_identical(self, tmp_path: Path, killed_at: tuple[int, ...]) -> None:
        uninterrupted = make_trainer(tmp_path / "a", pairs=20)
        (tmp_path / "a").mkdir()
        make_loop(uninterrupted, run=EVERY_STEP).run()
        (tmp_path / "b").mkdir()
        for step in killed_at:
            loop = make_loop(make_trainer(tmp_path / "b", pairs=20), run=EVERY_STEP, on_step=kill_after(step))
            loop.resume()
            with pytest.raises(Killed):
                loop.run()
        resumed = make_trainer(tmp_path / "b", pairs=20)
        loop = make_loop(resumed, run=EVERY_STEP)
        loop.resume()
        assert resumed.step == killed_at[-1]
        loop.run()
        assert same(weights(resumed), weights(uninterrupted))
        losses = [[row["total"] for row in read_rows(tmp_path / name / STEPS)] for name in "ab"]
        assert losses[0] == losses[1]

    @pytest.mark.slow
    def test_steps_after_the_last_checkpoint_are_repeated(self, tmp_path: Path) -> None:
        uninterrupted = make_trainer(tmp_path, pairs=12)
        take_all_steps(uninterrupted)
        trainer = make_trainer(tmp_path, pairs=12)
        trainer.train_step()
        make_loop(trainer)._save()
        trainer.train_step()  # lost
        trainer.close()
        resumed = make_trainer(tmp_path, pairs=12)
        loop = make_loop(resumed)
        loop.resume()
        assert resumed.step == 1
        loop.run()
        assert same(weights(resumed), weights(uninterrupted))

    def test_seconds_are_summed_over_resumed_runs(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=4)
        take_all_steps(trainer)
        resumed = make_trainer(tmp_path, pairs=8)
        resumed.restore(Checkpoint(settings=SETTINGS, **trainer.state()))
        assert resumed.seconds == trainer.seconds > 0
        resumed.train_step()
        assert resumed.seconds > trainer.seconds
        resumed.close()

    @pytest.mark.slow
    def test_other_settings_are_refused(self, tmp_path: Path) -> None:
        make_loop(make_trainer(tmp_path, pairs=2)).run()
        with pytest.raises(StoreError, match="recipe 'synthetic', not 'another'"):
            make_loop(make_trainer(tmp_path, pairs=2), settings={"recipe": "another"}).resume()

    @pytest.mark.slow
    def test_validations_are_evenly_spaced_and_every_step_is_reported(self, tmp_path: Path) -> None:
        reports: list[StepReport] = []
        make_loop(make_trainer(tmp_path, pairs=20), run={"validations": 4}, on_step=reports.append).run()
        validations = [(row["step"], row["pairs"]) for row in read_rows(tmp_path / VALIDATIONS)]
        assert validations == [(3, 6), (5, 10), (8, 16), (10, 20)]
        assert [report.metrics["step"] for report in reports] == list(range(1, 11))
        assert reports[4].fraction_done == 0.5
        assert reports[-1].seconds_left == 0.0

    def test_nan_keeps_the_last_checkpoint(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=20)

        def set_nan(report: StepReport) -> None:
            set_nan_weight(trainer)

        with pytest.raises(TrainingError):
            make_loop(trainer, run=EVERY_STEP, on_step=set_nan).run()
        found = load_checkpoint(tmp_path, SETTINGS)
        assert found is not None
        assert found.step == 1
        assert not any(tensor.isnan().any() for tensor in found.network.values())


class Recall:
    """A validation whose recall is given in advance; its weights are recorded."""

    def __init__(self, *recalls: float) -> None:
        self.recalls = list(recalls)
        self.validated: list[dict[str, Tensor]] = []

    def __call__(self, network: LightGlue) -> ValidationMetrics:
        self.validated.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return replace(METRICS, recall=self.recalls[len(self.validated) - 1])


class TestBestWeights:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("recalls", "best"),
        [((0.5, 0.9, 0.7, 0.6), 1), ((0.1, 0.2, 0.3, 0.4), 3), ((0.9, 0.9, 0.1, 0.9), 0), ((0.2, math.nan, 0.1, 0.0), 0)],
    )  # fmt: skip
    def test_the_best_validated_weights_are_selected(
        self, tmp_path: Path, recalls: tuple[float, ...], best: int
    ) -> None:
        validate = Recall(*recalls)
        trainer = make_trainer(tmp_path, pairs=16)
        loop = make_loop(trainer, validate=validate, run={"validations": 4})
        loop.run()
        last = weights(trainer)
        loop.select_best()
        assert loop.best is not None
        assert (loop.best.step, loop.best.pairs) == (2 * best + 2, 4 * best + 4)
        assert same(weights(trainer), validate.validated[best])
        found = load_checkpoint(tmp_path, SETTINGS)
        assert found is not None
        assert same(dict(found.network), last)  # a longer training continues from the last weights

    def test_without_validations_the_last_weights_stay(self, tmp_path: Path) -> None:
        trainer = make_trainer(tmp_path, pairs=4)
        loop = make_loop(trainer, run={"validations": 0})
        loop.run()
        last = weights(trainer)
        loop.select_best()
        assert same(weights(trainer), last)

    def resume(self, folder: Path, validate: Recall, **options: object) -> TrainingLoop:
        """Train 16 pairs with 4 validations, interrupted after the third."""
        loop = make_loop(
            make_trainer(folder, pairs=16),
            validate=validate,
            validation="a",
            run=EVERY_STEP | {"validations": 4},
            on_step=kill_after(7),
        )
        with pytest.raises(Killed):
            loop.run()
        resumed = make_loop(
            make_trainer(folder, pairs=16), validate=validate, run={"validations": 4}, **options
        )
        resumed.resume()
        resumed.run()
        return resumed

    @pytest.mark.slow
    def test_a_resumed_run_keeps_the_best_of_the_interrupted_one(self, tmp_path: Path) -> None:
        validate = Recall(0.5, 0.9, 0.7, 0.6)
        loop = self.resume(tmp_path, validate, validation="a")
        loop.select_best()
        assert same(weights(loop.trainer), validate.validated[1])

    def test_another_validation_set_starts_again(self, tmp_path: Path) -> None:
        validate = Recall(0.5, 0.9, 0.7, 0.6)
        loop = self.resume(tmp_path, validate, validation="b")
        assert loop.best is not None
        assert loop.best.step == 8
