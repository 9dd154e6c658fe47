"""Measure the frame rate of the viewer while it pans and zooms 5,000 matches, in Chromium with software rendering.

    python -m benchmarks viewer

Every frame is read back, so that it has been drawn when the next one begins. Needs Debian's chromium.
"""

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import PIL.Image
import torch

from benchmarks.browser import start_browser, wait_until
from benchmarks.records import about, add_quick_argument, add_records_argument, write_record
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Features, TwoViewEstimate

RECORD = "viewer.json"
SIZE = (1600, 1200)
NUM_MATCHES = 5000
WINDOW = {"width": 1280, "height": 900}
CASES: dict[str, dict[str, Any]] = {
    "side by side, no lines": {"mode": "side", "maxLines": 0, "color": "score"},
    "side by side, 5,000 lines, colored by score": {
        "mode": "side",
        "maxLines": NUM_MATCHES,
        "color": "score",
    },
    "side by side, 5,000 lines, colored by inlier": {
        "mode": "side",
        "maxLines": NUM_MATCHES,
        "color": "inlier",
    },
    "swipe, 5,000 residuals": {"mode": "swipe", "maxLines": NUM_MATCHES, "color": "score"},
}

# Zooms in and out by 35 %, so that most matches stay visible; returns the durations of the frames in ms
SCRIPT = """async ([change, milliseconds]) => {
  viewer.set(change);
  const root = document.getElementById("viewer").shadowRoot;
  const stage = root.querySelector(".stage");
  const contexts = [...root.querySelectorAll(".stage > canvas")].map((canvas) => canvas.getContext("2d"));
  const box = stage.getBoundingClientRect();
  const [clientX, clientY] = [box.x + box.width / 4, box.y + box.height / 2];
  const frames = [];
  const start = performance.now();
  for (let last = start, k = 0; last - start < milliseconds; k++) {
    const deltaY = k % 20 < 10 ? -20 : 20;
    stage.dispatchEvent(new WheelEvent("wheel", { deltaY, clientX, clientY, cancelable: true }));
    await new Promise(requestAnimationFrame);
    for (const context of contexts) context.getImageData(9, 9, 1, 1);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  return frames;
}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--runs", type=int, default=3, help="Runs of every case.")
    parser.add_argument("--seconds", type=float, default=3.0, help="Seconds per run.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure all cases alternately, print and record them."""
    runs, seconds = (1, 0.5) if arguments.quick else (arguments.runs, arguments.seconds)
    frames: dict[str, list[float]] = {name: [] for name in CASES}
    with TemporaryDirectory() as folder, start_browser() as browser:
        page = browser.new_page(viewport=WINDOW)
        page.goto(write_page(Path(folder)).as_uri())
        wait_until(page, "window.viewer")
        for _ in range(runs):
            for name, change in CASES.items():
                page.evaluate(SCRIPT, [change, 300])  # warm-up
                frames[name] += page.evaluate(SCRIPT, [change, 1000 * seconds])
        version = browser.version
    cases = {name: summarize(values) for name, values in frames.items()}
    for name, case in cases.items():
        print("{:46} {frames_per_second:5.1f} per second, slowest 5 %: {p95_ms:.0f} ms".format(name, **case))
    record = {**about(runs), "chromium": version, "matches": NUM_MATCHES, "window": WINDOW, "cases": cases}
    write_record(arguments.records, RECORD, record)


def summarize(frames: list[float]) -> dict[str, float]:
    """Return the mean rate, and median and 95th percentile of the durations."""
    return {
        "frames_per_second": round(1000 / statistics.fmean(frames), 1),
        "median_ms": round(statistics.median(frames), 2),
        "p95_ms": round(float(np.quantile(frames, 0.95)), 2),
        "frames": len(frames),
    }


def write_page(folder: Path) -> Path:
    """Write the page of two synthetic images with random matches."""
    random = np.random.default_rng(0)
    points0 = random.uniform(0, np.array(SIZE) - 1, (NUM_MATCHES, 2))
    points1 = (points0 + random.normal(0, 30, points0.shape)).clip(0, np.array(SIZE) - 1)
    image = PIL.Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize(SIZE)
    estimate = TwoViewEstimate(
        kind="homography",
        matrix=np.eye(3),
        inliers=random.uniform(size=NUM_MATCHES) < 0.8,
        method="synthetic",
        max_error_px=3.0,
    )
    result = MatchResult.from_assignment(features(points0), features(points1), assignment(random))
    return result.save(folder / "pair.html", estimate, image0=image, image1=image)


def features(points: np.ndarray) -> Features:
    """Return features without descriptors."""
    return Features(
        keypoints=points, scores=np.ones(len(points)), descriptors=np.zeros((len(points), 1)), image_size=SIZE
    )


def assignment(random: np.random.Generator) -> Assignment:
    """Return one match per keypoint."""
    layers = torch.full((NUM_MATCHES,), 9)
    return Assignment(
        matches=torch.arange(NUM_MATCHES)[:, None].repeat(1, 2),
        scores=torch.from_numpy(random.uniform(0.1, 1, NUM_MATCHES).astype(np.float32)),
        matching_scores0=torch.ones(NUM_MATCHES),
        matching_scores1=torch.ones(NUM_MATCHES),
        prune0=layers,
        prune1=layers,
        layers_run=9,
    )
