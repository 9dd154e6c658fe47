"""Training as a person runs it: killed and resumed, by two processes, and the guide's commands on 24 photographs."""

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
from tiepoint.training.logs import STEPS, VALIDATIONS, read_rows

GUIDE = REPOSITORY / "docs" / "training.md"
PHOTOGRAPHS = 24
TWO_PROCESSES = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")


def synthetic(*arguments: object, launcher: tuple[str, ...] = ()) -> list[str]:
    """The command that trains a tiny network on synthetic pairs."""
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
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 steps of 4 pairs in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(synthetic(folder, 240, 4))
    return folder


def test_killed_at_any_moment_and_resumed_it_ends_at_the_same_bits(undisturbed: Path, tmp_path: Path) -> None:
    for steps in (5, 20, 45):
        process = subprocess.Popen(synthetic(tmp_path, 240, 4, 0.01), cwd=REPOSITORY)
        while len(read_rows(tmp_path / STEPS)) < steps and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    run(synthetic(tmp_path, 240, 4))
    assert_same(read_checkpoint(tmp_path), read_checkpoint(undisturbed))
    assert losses(tmp_path) == losses(undisturbed)
    assert not list(tmp_path.glob(".tiepoint-*"))


def assert_same(found: Any, expected: Any) -> None:
    """Bit for bit; seconds aside, which no two runs have in common."""
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


def test_two_processes_have_the_loss_of_one_with_twice_the_batch(undisturbed: Path, tmp_path: Path) -> None:
    run(synthetic(tmp_path, 240, 2, launcher=TWO_PROCESSES))
    assert losses(tmp_path) == pytest.approx(losses(undisturbed), rel=1e-3)
    alone, together = (read_checkpoint(folder)["network"] for folder in (undisturbed, tmp_path))
    assert all(torch.allclose(alone[name], together[name], atol=2e-3) for name in alone)


def test_what_is_no_number_in_one_process_stops_both_with_their_pairs(tmp_path: Path) -> None:
    command = [sys.executable, *TWO_PROCESSES, "-m", "tests.helpers.nan_training", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=REPOSITORY)
    assert done.returncode == 1
    assert "training stopped before step 3, because total nan" in done.stderr
    first, second = (torch.load(tmp_path / name, weights_only=True) for name in ("dump.pt", "dump-1.pt"))
    assert math.isnan(first["figures"]["total"])
    assert math.isnan(second["figures"]["total"])
    assert math.isfinite(first["terms"]["total"])
    assert math.isnan(second["terms"]["total"])
    assert first["batches"][0]["descriptors0"].isfinite().all()
    assert second["batches"][0]["descriptors0"].isnan().all()
    assert (first["step"], first["seconds"]) == (second["step"], second["seconds"])


@pytest.fixture(scope="module")
def small_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos/`: 24 photographs, and a file that is none."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "photos").mkdir()
    names = sorted((shared_data.parent / "photos" / "train").iterdir())
    for path in names[:: len(names) // PHOTOGRAPHS][:PHOTOGRAPHS]:
        shutil.copy(path, folder / "photos")
    (folder / "photos" / "broken.jpg").write_bytes(b"no photograph")
    return folder


def guide_commands() -> list[list[str]]:
    """The commands of the guide's part that is for trying out."""
    text = GUIDE.read_text().split("<!-- try: begin -->")[1].split("<!-- try: end -->")[0]
    return [shlex.split(line)[1:] for line in re.findall(r"^\$ (tiepoint .*)$", text, re.MULTILINE)]


def tiepoint_command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-c", "from tiepoint.cli import main; main()", *arguments]


@pytest.fixture(scope="module")
def trained(small_folder: Path) -> Path:
    """What the guide's commands make."""
    commands = guide_commands()
    assert commands[0][:3] == ["train", "photos/", "out/"]
    for arguments in commands:
        done = run(tiepoint_command(arguments), cwd=small_folder)
        if arguments[0] == "train":
            assert "broken.jpg" in done.stderr
    return small_folder / "out"


@pytest.mark.real
@pytest.mark.weights
def test_a_student_learns_from_what_its_teacher_predicts(small_folder: Path, tmp_path: Path) -> None:
    sizes = {"layers": 1, "width": 16, "heads": 2, "max_keypoints": 64, "resize": 128, "batch_size": 4}
    report = tiepoint.train(
        small_folder / "photos", tmp_path, recipe="distill", pairs=16, device="cpu", validations=1, **sizes
    )
    assert report.settings["teacher"] == "official"
    assert all(row["distillation"] > 0 for row in read_rows(tmp_path / STEPS))
    (kept,) = (tmp_path / "features").glob("soft-targets-*/soft_targets/*.h5")
    assert kept.stat().st_size < 100_000
    with pytest.raises(
        InvalidInput, match=r"the teacher .* takes descriptors of 128 columns, but aliked-t16 gives 64"
    ):
        tiepoint.train(
            small_folder / "photos",
            tmp_path / "other",
            recipe="distill",
            teacher=tmp_path,
            extractor="aliked-t16",
        )


TINY = shlex.split("--layers 1 --width 16 --heads 2 --max-keypoints 64 --resize 128 --quiet --device cpu")


@pytest.mark.real
@pytest.mark.weights
def test_two_processes_share_the_photographs_and_one_goes_on_alone(
    small_folder: Path, tmp_path: Path
) -> None:
    arguments = ["train", str(small_folder / "photos"), str(tmp_path), *TINY]
    program = Path(sys.executable).with_name("tiepoint")
    launcher = [sys.executable, *TWO_PROCESSES, "--no-python", str(program)]
    run([*launcher, *arguments, "--pairs", "16", "--batch-size", "4"])
    shards = [read_header(path).keys for path in (tmp_path / "features" / "train" / "views").glob("*.h5")]
    assert len(set().union(*shards)) == sum(map(len, shards)) >= PHOTOGRAPHS - 4  # none twice
    run(tiepoint_command([*arguments, "--pairs", "32", "--batch-size", "8", "--resume"]))
    assert [row["pairs"] for row in read_rows(tmp_path / STEPS)] == [8, 16, 24, 32]
    (tmp_path / CHECKPOINT).unlink()
    done = refused([*arguments, "--pairs", "32"])
    assert "holds a model, and no checkpoint.pt to go on from" in done


@pytest.mark.weights
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--recipe finetune --extractor aliked-t16", "no LightGlue is published for aliked-t16"),
        ("--recipe finetune --layers 12", "has 9 layers, not 12"),
        ("--width 130 --heads 4", "must split into 4 heads"),
    ],
)
def test_what_can_not_be_is_said_before_the_photographs_are_read(
    small_folder: Path, tmp_path: Path, options: str, message: str
) -> None:
    said = refused(["train", str(small_folder / "photos"), str(tmp_path / "out"), *shlex.split(options)])
    assert message in said
    assert not (tmp_path / "out" / "features").exists()


def refused(arguments: list[str]) -> str:
    """The one line with which a command ends."""
    done = subprocess.run(tiepoint_command(arguments), capture_output=True, text=True, timeout=500)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.mark.real
@pytest.mark.weights
class TestGuide:
    def test_the_loss_falls(self, trained: Path) -> None:
        values = losses(trained)
        third = len(values) // 3
        assert sum(values[-third:]) < sum(values[:third])

    def test_precision_is_above_mutual_nearest(self, trained: Path) -> None:
        figures = json.loads((trained / "training.json").read_text())["figures"]
        assert figures["trained"]["precision"] > figures["mutual nearest"]["precision"]
        assert figures["trained, adaptive"]["matches"] > 0
        assert read_rows(trained / VALIDATIONS)

    def test_the_folder_is_a_preset(self, trained: Path, small_folder: Path) -> None:
        matcher = tiepoint.load(trained, max_keypoints=256, resize=256, device="cpu")
        assert matcher.extractor.settings.kind == tiepoint.load("aliked+nearest").extractor.settings.kind
        photograph = next(p for p in (small_folder / "photos").iterdir() if p.name != "broken.jpg")
        result = matcher.match(photograph, photograph)
        assert len(result) > 0.8 * len(result.features0)

    def test_hugging_faces_names_take_it_too(self, trained: Path) -> None:
        model = tiepoint.LightGlueForKeypointMatching.from_pretrained(trained)
        ours = tiepoint.load(trained, device="cpu").matcher.network.state_dict()  # type: ignore[attr-defined]
        assert all(torch.equal(tensor, ours[name]) for name, tensor in model.matcher.state_dict().items())

    def test_the_page_shows_curves_table_and_pictures(self, trained: Path) -> None:
        page = (trained / "report.html").read_text()
        for part in (
            "mutual nearest",
            "trained",
            "<polyline",
            "data:image/jpeg",
            "homography-512",
            "broken.jpg",
        ):
            assert part in page
        assert page.count("nan,") == 0

    def test_another_recipe_is_refused_with_the_difference(self, trained: Path, small_folder: Path) -> None:
        _, photographs, out, *options = guide_commands()[0]
        begin = ["train", str(small_folder / photographs), str(small_folder / out), *options, "--resume"]
        assert "is of another training: schedule peak" in refused([*begin, "--learning-rate", "0.5"])
        assert "is of another training: recipe 'finetune', not 'distill'" in refused(
            [*begin, "--recipe", "distill", "--init", "official"]
        )
