"""`tiepoint eval`, `tiepoint eval compare` and `make results`, in processes of their own, on real images."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from benchmarks.accuracy.baselines import ReferencePredictor
from tests.helpers.paths import REPOSITORY

from tiepoint.evaluation.predictors import PresetPredictor
from tiepoint.evaluation.protocols import Prediction
from tiepoint.image import Image, ImageTransform, read_image

pytestmark = [pytest.mark.real, pytest.mark.weights]


def run(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=500)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from tiepoint.cli import main; main()", *map(str, arguments)]


def run_benchmark(*arguments: object) -> subprocess.CompletedProcess:
    words = [sys.executable, "-m", "benchmarks", "accuracy", *map(str, arguments)]
    return subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def small_set(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pairs of small images with three types of ground truth."""
    folder = tmp_path_factory.mktemp("small")
    rows = [json.loads(line) for line in (shared_data / "pairs.jsonl").read_text().splitlines()]
    chosen = [
        next(row for row in rows if row["set"] == name) for name in ("oxford_affine", "scannet15", "kusvod2")
    ]
    for row in chosen:
        for name in (row["a"], row["b"]):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(shared_data / name, folder / name)
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))
    return folder


@pytest.fixture(scope="module")
def report_file(small_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the smallest preset, written by the command."""
    folder = tmp_path_factory.mktemp("reports")
    found = run(
        *("eval", "pairs-jsonl", small_set, "--preset", "aliked-t16+nearest"),
        *("--store", folder / "store", "--json", folder / "nearest.json", "--device", "cpu"),
    )
    assert found.returncode == 0, found.stderr
    assert "aliked-t16+nearest on pairs-jsonl, 3 pairs, protocol tiepoint" in found.stdout
    assert "corner error AUC@5px" in found.stdout
    return folder / "nearest.json"


def test_the_report(report_file: Path):
    report = json.loads(report_file.read_text())
    assert report["protocol"]["name"] == "tiepoint"
    assert {row["truth"] for row in report["rows"]} == {"homography", "pose", "points"}
    assert all(row["values"]["num_matches"] > 50 for row in report["rows"])
    assert report["figures"]["num_matches"]["value"] > 50


def test_a_store_of_other_settings_is_refused(report_file: Path, small_set: Path):
    found = run(
        *("eval", "pairs-jsonl", small_set, "--preset", "aliked+nearest"),
        *("--store", report_file.parent / "store", "--device", "cpu"),
    )
    assert found.returncode == 1
    assert "predictor 'aliked-t16+nearest', not 'aliked+nearest'" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_valid_pairs_of_a_damaged_data_set_are_evaluated(small_set: Path, report_file: Path, tmp_path: Path):
    """A truncated line and a missing image: both are reported, the rest is scored, the exit status is 1."""
    shutil.copytree(small_set, tmp_path / "set")
    listing = tmp_path / "set" / "pairs.jsonl"
    lines = listing.read_text().splitlines()
    (tmp_path / "set" / json.loads(lines[2])["b"]).unlink()
    listing.write_text("\n".join([lines[0], lines[1][:40], lines[2]]) + "\n")
    found = run(
        *("eval", "pairs-jsonl", tmp_path / "set", "--preset", "aliked-t16+nearest", "--device", "cpu", "-q"),
        *("--store", report_file.parent / "store", "--json", "-"),
    )
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
    report = json.loads(found.stdout)
    assert len(report["rows"]) == 1
    assert len(report["problems"]) == 2
    assert any(":2" in line or "line 2" in line for line in found.stderr.splitlines())
    assert Path(json.loads(lines[2])["b"]).name in found.stderr


def test_compare(report_file: Path, tmp_path: Path):
    found = run("eval", "compare", report_file, report_file, "--json", tmp_path / "comparison.json")
    assert found.returncode == 0, found.stderr
    assert "protocol tiepoint, 3 pairs" in found.stdout
    assert "too few pairs" in found.stdout
    assert json.loads((tmp_path / "comparison.json").read_text())["pairs"] == 3
    wrong = run("eval", "compare", report_file, report_file.parent / "absent.json")
    assert wrong.returncode == 1
    assert "absent.json" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("eval", "hpatchs", "."), 1, "hpatches"),
        (("eval", "hpatches", "absent"), 1, "absent"),
        (("eval", "hpatches", ".", "--protocol", "superglue"), 1, "glue-factory-poselib"),
        (("eval", "hpatches", ".", "--preset", "sift"), 1, "aliked+lightglue"),
        (("eval", "hpatches", ".", "--limit", "0"), 2, "--limit"),
        (("eval", "--preset", "aliked+nearest", "hpatches", "absent"), 1, "absent"),
        (("eval", "hpatches"), 2, "path"),
    ],
    ids=["data set", "path", "protocol", "preset", "limit", "options first", "no path"],
)
def test_misuse_is_reported_in_one_line(arguments: tuple[str, ...], code: int, text: str):
    found = run(*arguments)
    assert found.returncode == code
    assert text.lower() in found.stderr.lower()
    assert "Traceback" not in found.stderr


def test_interrupted_and_resumed(shared_data: Path, tmp_path: Path):
    """kill -9 while the second shard is computed: the first one is kept, and the rest is added."""
    arguments = (
        *(
            "eval",
            "pairs-jsonl",
            f"{shared_data}#kusvod2",
            "--preset",
            "aliked-t16+nearest",
            "--limit",
            8,
            "-q",
        ),
        *("--store", tmp_path / "store", "--json", tmp_path / "report.json", "--device", "cpu"),
    )
    features = tmp_path / "store" / "posed" / "features"
    process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(features.glob("[!.]*.h5")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (first,) = [path for path in features.iterdir() if not path.name.startswith(".")]
    before = first.stat()
    assert not (tmp_path / "report.json").exists()
    found = run(*arguments)
    assert found.returncode == 0, found.stderr
    assert len(json.loads((tmp_path / "report.json").read_text())["rows"]) == 8
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len([path for path in features.iterdir() if not path.name.startswith(".")]) == 2


def test_the_results_of_the_quick_run(tmp_path: Path, shared_data: Path):
    """The page is generated from the shared images only; the second run computes nothing."""
    options = ("--quick", "--data", shared_data, "--store", tmp_path / "store", "--records", tmp_path)
    made = run_benchmark(*options)
    assert made.returncode == 0, made.stderr
    record = json.loads((tmp_path / "accuracy.json").read_text())
    assert record["protocol"]["name"] == "quick"
    assert len(record["methods"]) == 5
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.h5")}
    again = run_benchmark(*options)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.h5")} == shards
    page = tmp_path / "page" / "results.md"
    rendered = run_benchmark("render", "--records", tmp_path, "--page", page)
    assert rendered.returncode == 0, rendered.stderr
    assert "Comparison with the reference" in page.read_text()
    assert all(0 < path.stat().st_size < 200_000 for path in (page.parent / "images").glob("*.png"))
    assert len(list((page.parent / "images").glob("*.png"))) == 2
    assert run_benchmark("render", "--records", tmp_path, "--page", page, "--check").returncode == 0
    page.write_text(page.read_text().replace("quick", "quack"))
    assert run_benchmark("render", "--records", tmp_path, "--page", page, "--check").returncode == 1


def test_the_reference_agrees_on_the_same_pixels(shared_data: Path):
    """The reference differs from our preset in the tables only by its resizing."""
    prediction = Prediction(resize=640, max_keypoints=512, adaptive=True)
    folder = shared_data / "lund_door12" / "images"
    images = [read_image(folder / name) for name in ("DSC_0001.JPG", "DSC_0003.JPG")]
    small = [Image(pixels=ImageTransform.fit(image.image_size, 640).apply(image)) for image in images]
    found = []
    for predictor in (
        PresetPredictor("aliked+lightglue", prediction, device="cpu"),
        ReferencePredictor("aliked", prediction),
    ):
        (result,) = predictor.match_features([tuple(predictor.extract(image) for image in small)])
        found.append(np.hstack([result.points0, result.points1]))
    ours, theirs = found
    apart = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
    assert len(ours) > 200
    assert abs(len(ours) - len(theirs)) <= 0.01 * len(ours)
    assert np.mean(apart.min(axis=1) < 0.01) > 0.99
