"""Training from the command line: killed and resumed, with two processes, and the guide's commands on 24 images."""

import json
import math
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.helpers.paths import REPOSITORY

import tiepoint
from tiepoint.errors import InvalidInput
from tiepoint.feature_store.hdf5_shard import read_header
from tiepoint.training.checkpoints import CHECKPOINT
from tiepoint.training.config import TrainConfig
from tiepoint.training.logs import STEPS, VALIDATIONS, read_rows

GUIDE = REPOSITORY / "docs" / "how-to" / "train.md"
NUM_IMAGES = 24
TWO_PROCESSES = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")


def synthetic(*arguments: object, launcher: tuple[str, ...] = ()) -> list[str]:
    """Command that trains a tiny network on synthetic pairs."""
    return [sys.executable, *launcher, "-m", "tests.helpers.synthetic_pairs", *map(str, arguments)]


def run(command: list[str], cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def read_checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / CHECKPOINT, weights_only=True)


def losses(folder: Path) -> list[float]:
    return [row["total"] for row in read_rows(folder / STEPS)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 steps of 4 pairs without interruption."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    run(synthetic(folder, 240, 4))
    return folder


def test_killed_and_resumed_run_is_bit_identical(uninterrupted: Path, tmp_path: Path) -> None:
    for steps in (5, 20, 45):
        process = subprocess.Popen(synthetic(tmp_path, 240, 4, 0.01), cwd=REPOSITORY)
        while len(read_rows(tmp_path / STEPS)) < steps and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    run(synthetic(tmp_path, 240, 4))
    assert_same(read_checkpoint(tmp_path), read_checkpoint(uninterrupted))
    assert losses(tmp_path) == losses(uninterrupted)
    assert not list(tmp_path.glob(".tiepoint-*"))


def assert_same(found: Any, expected: Any) -> None:
    """Compare bit for bit, except for the measured seconds."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected.keys() - {"seconds"}:
            assert_same(found[name], expected[name])
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected


def test_two_processes_have_the_loss_of_one_with_twice_the_batch_size(
    uninterrupted: Path, tmp_path: Path
) -> None:
    run(synthetic(tmp_path, 240, 2, launcher=TWO_PROCESSES))
    assert losses(tmp_path) == pytest.approx(losses(uninterrupted), rel=1e-3)
    single, distributed = (read_checkpoint(folder)["network"] for folder in (uninterrupted, tmp_path))
    assert all(torch.allclose(single[name], distributed[name], atol=2e-3) for name in single)


def test_nan_in_one_process_stops_both_with_a_dump_each(tmp_path: Path) -> None:
    command = [sys.executable, *TWO_PROCESSES, "-m", "tests.helpers.nan_training", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=REPOSITORY)
    assert done.returncode == 1
    assert "training stopped before step 3: total nan" in done.stderr
    first, second = (torch.load(tmp_path / name, weights_only=True) for name in ("dump.pt", "dump-1.pt"))
    assert math.isnan(first["metrics"]["total"])
    assert math.isnan(second["metrics"]["total"])
    assert math.isfinite(first["terms"]["total"])
    assert math.isnan(second["terms"]["total"])
    assert first["batches"][0]["descriptors0"].isfinite().all()
    assert second["batches"][0]["descriptors0"].isnan().all()
    assert (first["step"], first["seconds"]) == (second["step"], second["seconds"])


@pytest.fixture(scope="module")
def small_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos/`: 24 images, and a broken file."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "photos").mkdir()
    names = sorted((shared_data.parent / "photos" / "train").iterdir())
    for path in names[:: len(names) // NUM_IMAGES][:NUM_IMAGES]:
        shutil.copy(path, folder / "photos")
    (folder / "photos" / "broken.jpg").write_bytes(b"no image")
    return folder


def guide_commands() -> list[list[str]]:
    """Commands of the guide's example."""
    text = GUIDE.read_text().split("<!-- try: begin -->")[1].split("<!-- try: end -->")[0]
    return [shlex.split(line)[1:] for line in re.findall(r"^\$ (tiepoint .*)$", text, re.MULTILINE)]


def tiepoint_command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-c", "from tiepoint.cli import main; main()", *arguments]


@pytest.fixture(scope="module")
def trained(small_folder: Path) -> Path:
    """Output folder of the guide's commands."""
    commands = guide_commands()
    assert commands[0][:3] == ["train", "photos/", "out/"]
    for arguments in commands:
        done = run(tiepoint_command(arguments), cwd=small_folder)
        if arguments[0] == "train":
            assert "broken.jpg" in done.stderr
    return small_folder / "out"


@pytest.mark.real
@pytest.mark.weights
def test_student_learns_from_its_teacher(small_folder: Path, tmp_path: Path) -> None:
    config = TrainConfig.from_recipe(
        "distill",
        model={"layers": 1, "width": 16, "heads": 2},
        data={"warps": {"max_keypoints": 64, "resize": 128}},
        optim={"batch_size": 4},
        run={"pairs": 16, "validations": 1},
    )
    report = tiepoint.train(small_folder / "photos", tmp_path, config, device="cpu")
    assert report.settings["model.teacher"] == "official"
    assert all(row["distillation"] > 0 for row in read_rows(tmp_path / STEPS))
    (shard,) = (tmp_path / "features").glob("soft-targets-*/soft_targets/*.h5")
    assert shard.stat().st_size < 100_000
    other = config.replace(model={"teacher": tmp_path, "extractor": "aliked-t16"})
    with pytest.raises(InvalidInput, match=r"teacher .* 128 dimensions, but aliked-t16 has 64"):
        tiepoint.train(small_folder / "photos", tmp_path / "other", other)


TINY = shlex.split("--layers 1 --width 16 --heads 2 --max-keypoints 64 --resize 128 --quiet --device cpu")


@pytest.mark.real
@pytest.mark.weights
def test_two_processes_divide_the_images_and_one_resumes(small_folder: Path, tmp_path: Path) -> None:
    arguments = ["train", str(small_folder / "photos"), str(tmp_path), *TINY]
    program = Path(sys.executable).with_name("tiepoint")
    launcher = [sys.executable, *TWO_PROCESSES, "--no-python", str(program)]
    run([*launcher, *arguments, "--pairs", "16", "--batch-size", "4"])
    shards = [read_header(path).keys for path in (tmp_path / "features" / "train" / "warps").glob("*.h5")]
    assert len(set().union(*shards)) == sum(map(len, shards)) >= NUM_IMAGES - 4  # none is extracted twice
    run(tiepoint_command([*arguments, "--pairs", "32", "--batch-size", "8", "--resume"]))
    assert [row["pairs"] for row in read_rows(tmp_path / STEPS)] == [8, 16, 24, 32]
    (tmp_path / CHECKPOINT).unlink()
    done = refused([*arguments, "--pairs", "32"])
    assert "no checkpoint.pt to resume" in done


@pytest.mark.weights
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--recipe finetune --extractor aliked-t16", "no pretrained LightGlue for aliked-t16"),
        ("--recipe finetune --layers 12", "has 9 layers, got --layers 12"),
        ("--width 130 --heads 4", "130 into 4 heads"),
    ],
)
def test_invalid_options_are_refused_before_images_are_read(
    small_folder: Path, tmp_path: Path, options: str, message: str
) -> None:
    error = refused(["train", str(small_folder / "photos"), str(tmp_path / "out"), *shlex.split(options)])
    assert message in error
    assert not (tmp_path / "out" / "features").exists()


def refused(arguments: list[str]) -> str:
    """Run a command that fails, and return its one-line error."""
    done = subprocess.run(tiepoint_command(arguments), capture_output=True, text=True, timeout=500)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.mark.real
@pytest.mark.weights
class TestGuide:
    def test_loss_decreases(self, trained: Path) -> None:
        values = losses(trained)
        third = len(values) // 3
        assert sum(values[-third:]) < sum(values[:third])

    def test_the_example_gains(self, trained: Path) -> None:
        """It once ended with a recall of 64.6 % after 77.5 %, without a word."""
        report = json.loads((trained / "training.json").read_text())
        metrics = report["metrics"]
        assert report["notes"] == []
        f1 = {
            name: 2 / (1 / metrics[name]["precision"] + 1 / metrics[name]["recall"])
            for name in ("before", "trained")
        }
        assert f1["trained"] > f1["before"]
        assert metrics["trained"]["precision"] > metrics["mutual nearest"]["precision"]
        assert metrics["trained, adaptive"]["matches"] > 0
        assert read_rows(trained / VALIDATIONS)

    def test_folder_is_a_preset(self, trained: Path, small_folder: Path) -> None:
        matcher = tiepoint.load(trained, max_keypoints=256, resize=256, device="cpu")
        assert matcher.extractor.settings.kind == tiepoint.load("aliked+nearest").extractor.settings.kind
        image = next(p for p in (small_folder / "photos").iterdir() if p.name != "broken.jpg")
        result = matcher.match(image, image)
        assert len(result) > 0.8 * len(result.features0)

    def test_from_pretrained_reads_the_folder(self, trained: Path) -> None:
        model = tiepoint.LightGlueForKeypointMatching.from_pretrained(trained)
        ours = tiepoint.load(trained, device="cpu").matcher.network.state_dict()  # type: ignore[attr-defined]
        assert all(torch.equal(tensor, ours[name]) for name, tensor in model.matcher.state_dict().items())

    def test_report_has_curves_table_and_drawings(self, trained: Path) -> None:
        page = (trained / "report.html").read_text()
        for part in (
            "mutual nearest",
            "trained",
            "<svg",
            "data:image/jpeg",
            "homography-512",
            "broken.jpg",
        ):
            assert part in page
        assert page.count("nan,") == 0

    def test_other_settings_are_refused_with_the_difference(self, trained: Path, small_folder: Path) -> None:
        _, images, out, *options = guide_commands()[0]
        begin = ["train", str(small_folder / images), str(small_folder / out), *options, "--resume"]
        assert "optim.learning_rate 0.0002, not 0.5" in refused([*begin, "--learning-rate", "0.5"])
        assert "recipe 'distill', not 'homography'" in refused([*begin, "--recipe", "homography"])
