"""Small reports of every kind; each function writes one into a folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
from tests.helpers.shift_dataset import ShiftPredictor, shifted_dataset
from tests.helpers.synthetic_collections import PLAIN_NAMES, make_collection
from tests.helpers.training_reports import make_pair, make_report
from tests.helpers.viewer_pairs import SIZE, images, shifted_pair

from tiepoint.collection.report.html_view import write_html_view
from tiepoint.collection.report.run_report import RunReport
from tiepoint.evaluation.compare import compare
from tiepoint.evaluation.evaluate import evaluate
from tiepoint.evaluation.html_report import write_comparison_page
from tiepoint.evaluation.protocols import PROTOCOLS
from tiepoint.evaluation.report import PairResult, Report
from tiepoint.html.embedding import embed_image
from tiepoint.image import read_image
from tiepoint.result import MatchResult
from tiepoint.retrieval import Ranking
from tiepoint.training.logs import STEPS, CsvLog
from tiepoint.training.report.html_report import write_html_report
from tiepoint.training.validation import nearest_matcher
from tiepoint.video import Observations, Tracks
from tiepoint.video.html_report import write_tracks_page


def saved_pair(folder: Path) -> MatchResult:
    """Write both images of `shifted_pair`, and return the pair with these sources."""
    paths = [folder / name for name in ("a<b>.png", "c & d.png")]
    for path, image in zip(paths, images(), strict=True):
        PIL.Image.fromarray(np.asarray(image)).save(path)
    return shifted_pair(*map(str, paths))


def ranking(folder: Path) -> Path:
    pair = saved_pair(folder)
    assert pair.features0.source
    found = Ranking(
        query=pair.features0.source, results=(pair, pair), compared=7, problems=("x<y>.jpg is empty",)
    )
    found.save(folder / "found.html")
    return folder / "found.html"


def collection_view(folder: Path) -> Path:
    made, _ = make_collection(folder, PLAIN_NAMES[:3])
    return write_html_view(made)


def collection_run(folder: Path) -> Path:
    RunReport(
        out="out",
        image_folder="<photos>",
        options={"preset": "aliked+lightglue"},
        files=3,
        images=2,
        seconds={"extract": 1.5},
        work_seconds={"match": 2.5},
        problems=("a<b>.jpg is empty",),
    ).save(folder)
    return folder / "report.html"


def training(folder: Path) -> Path:
    PIL.Image.new("RGB", (64, 64), "white").save(folder / "white.png")
    log = CsvLog(folder / STEPS)
    for step in (1, 2, 3):
        terms = dict.fromkeys(("total", "positive", "negative", "confidence"), 1.0 / step)
        log.append({"step": step, "pairs": 2 * step, **terms})
    pairs = [make_pair(folder / "white.png")]
    return write_html_report(make_report(folder), pairs, {"nearest": nearest_matcher()})


def tracks(folder: Path) -> Path:
    points = np.random.default_rng(0).uniform(20, 280, (30, 2))
    parts = [
        Observations.in_frame(frame, np.arange(30), points + np.array([frame, 0]), 1.0) for frame in range(4)
    ]
    found = Tracks.of(
        Observations.joined(parts), num_frames=5, image_size=SIZE, keyframes=(0,), problems=("frame 4 <b>",)
    )
    frames = [(frame, embed_image(read_image(image))) for frame, image in zip((0, 3), images(), strict=True)]
    return write_tracks_page(found, frames, folder / "tracks.html")


def comparison(folder: Path) -> Path:
    """Write a page with viewers of both methods."""
    reports = [
        evaluate(
            shifted_dataset(folder),
            lambda _, name=name: ShiftPredictor(name, name),
            PROTOCOLS["tiepoint"],
            store=folder / name,
        )
        for name in ("a", "b")
    ]
    rows = [replace(row, values={**row.values, "num_matches": 7.0}) for row in reports[1].rows]
    reports[1] = replace(reports[1], rows=rows)
    return write_comparison_page(compare(*reports, samples=100), *reports, folder / "comparison.html")


def comparison_without_matches(folder: Path) -> Path:
    reports = [
        Report(
            predictor=f"<{name}>",
            dataset="d",
            protocol={"name": "tiepoint"},
            rows=[
                PairResult(pair=f"p{i}", scene="s", truth="pose", values={"pose_error_deg": i * factor})
                for i in range(8)
            ],
        )
        for name, factor in (("a", 1.0), ("b", 1.5))
    ]
    return write_comparison_page(compare(*reports, samples=100), *reports, folder / "comparison.html")


PAGES = [ranking, collection_view, collection_run, training, tracks, comparison, comparison_without_matches]
