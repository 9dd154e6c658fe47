"""`tiepoint track` on live sources, in separate processes: RTSP, MJPEG over HTTP, Ctrl-C. A real camera: not tested here."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest
from tests.helpers.paths import REPOSITORY
from tests.helpers.video_servers import SIZE, VideoServer, free_port, serving

pytestmark = pytest.mark.weights

MAIN = "from tiepoint.cli import main; main()"
QUICK = ("--resize", "320", "--max-keypoints", "256", "--threads", "1", "--device", "cpu")
LISTEN = ("--input-option", "rtsp_flags=listen", "--input-option", "listen_timeout=300")


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """Start the command in a separate process."""
    command = [sys.executable, "-c", MAIN, "track", *map(str, arguments), *QUICK]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)


def test_rtsp_is_tracked_live(tmp_path: Path):
    """PyAV's FFmpeg sends 100 frames in 4 s to a listener; more arrive than are processed."""
    url = f"rtsp://user:secret@127.0.0.1:{free_port()}/live"
    tracking = start(url, *LISTEN, "-o", "t.json", "--video", "t.mp4", cwd=tmp_path)
    sending = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.video_servers", url, "100"], cwd=REPOSITORY
    )
    out, err = tracking.communicate(timeout=500)
    assert sending.wait(60) == 0
    assert tracking.returncode == 0, err
    assert "live: " in out
    saved = json.loads((tmp_path / "t.json").read_text())
    assert saved["num_dropped"] > 0
    assert saved["num_frames"] <= 100
    assert saved["image_size"] == list(SIZE)
    assert len(set(saved["track_ids"])) > 50
    with av.open(str(tmp_path / "t.mp4")) as container:
        assert len(list(container.decode(video=0))) == saved["num_frames"] - saved["num_dropped"]
    assert saved["source"].startswith("rtsp://***@127.0.0.1")
    assert "secret" not in out + err + (tmp_path / "t.json").read_text()


def test_ctrl_c_ends_an_endless_stream_and_writes_the_files(tmp_path: Path):
    """Once 30 MB were sent, the network's buffers are full: the command reads, decodes and tracks."""
    server = VideoServer()
    with serving(server):
        tracking = start(server.url("/camera"), "-o", "t.npz", "--video", "t.mp4", cwd=tmp_path)
        assert server.has_sent_bytes(30_000_000)
        tracking.send_signal(signal.SIGINT)
        out, err = tracking.communicate(timeout=500)
    assert tracking.returncode == 0, err
    assert "live: " in out
    assert "Traceback" not in err
    assert {path.name for path in tmp_path.iterdir()} == {"t.npz", "t.mp4"}
    with av.open(str(tmp_path / "t.mp4")) as container:
        assert len(list(container.decode(video=0))) >= 1


def test_a_lost_stream_ends_with_what_was_tracked(tmp_path: Path):
    with serving(VideoServer(num_frames=400)) as server:
        tracking = start(server.url("/camera", "user:secret@"), "-o", "t.npz", "-q", cwd=tmp_path)
        _, err = tracking.communicate(timeout=500)
    assert tracking.returncode == 1
    assert "the connection was lost" in err
    assert err.count("\n") == 1
    assert "secret" not in err
    assert (tmp_path / "t.npz").exists()


@pytest.mark.parametrize("source", ["99", "/dev/video99", "rtsp://user:secret@127.0.0.1:9/live"])
def test_a_source_that_is_not_there_is_one_line(source: str, tmp_path: Path):
    tracking = start(source, "-o", "t.npz", cwd=tmp_path)
    out, err = tracking.communicate(timeout=300)
    assert (tracking.returncode, out) == (1, "")
    assert err.startswith("tiepoint: ")
    assert err.count("\n") == 1
    assert "secret" not in err
    assert list(tmp_path.iterdir()) == []
