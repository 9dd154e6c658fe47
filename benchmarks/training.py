"""What training reaches on this machine: the four proofs, one after another; benchmarks/render_training.py makes the page.

    .venv/bin/python benchmarks/training.py                          # everything: about four hours on two cores
    .venv/bin/python benchmarks/training.py --only a --minutes 1     # one part, and only to see whether it works

    a   homography: five layers of width 128 from scratch
    b   distill: the same student, taught by the published matcher too, in the same time
    c   finetune: the published matcher, robust to any turn in the image plane
    d   the small student that becomes a preset, trained for longer; its speed at 2048 keypoints

Everything lies in --work: killed, each part goes on from its last checkpoint. A part that is done is not done again.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

import tiepoint
from tiepoint.bench import describe_machine
from tiepoint.cli.train import progress_bar
from tiepoint.extractors.neural import NeuralExtractor
from tiepoint.files import replacing
from tiepoint.image import Image, read_image
from tiepoint.image.folders import find_images
from tiepoint.networks.lightglue import LightGlue
from tiepoint.training.report import TrainingReport
from tiepoint.training.starting import Published, load_published
from tiepoint.training.validation import (
    VALIDATION,
    HeldOutPair,
    held_out_pairs,
    nearest_matcher,
    validate,
    validate_network,
)
from tiepoint.training.views import View, warp_image

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT.parent / "shared" / "photos"
WORK = ROOT / "build" / "training"
RECORD = ROOT / "benchmarks" / "records" / "training.json"
PROTOCOL = VALIDATION["homography-512"]
EXTRACTOR = "aliked-n16"
TURNS = (0, 1, 2)
"""Quarter turns of image 1."""
SPEED_KEYPOINTS, SPEED_RUNS = 2048, 5

PARTS: dict[str, dict[str, Any]] = {
    "a": {"recipe": "homography", "minutes": 60.0},
    "b": {"recipe": "distill", "minutes": 60.0},
    "c": {"recipe": "finetune", "minutes": 60.0},
    "d": {"recipe": "homography", "minutes": 120.0},
}
"""Options of `tiepoint.train`."""


def main() -> None:
    """Train what isn't trained yet, measure, and write the record."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    record = json.loads(arguments.record.read_text()) if arguments.record.exists() else {"parts": {}}
    for part in arguments.only or PARTS:
        record["parts"][part] = run_part(part, arguments)
        record["about"] = about(arguments)
        with replacing(arguments.record) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=PARTS, help="these parts")
    parser.add_argument("--minutes", type=float, help="of training, instead of each part's own")
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="folder with train/ and val/")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of runs and caches")
    parser.add_argument("--record", type=Path, default=RECORD, help="the JSON record")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    return parser.parse_args()


def run_part(part: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train, or go on, and measure what that part is about."""
    options = PARTS[part] | ({} if arguments.minutes is None else {"minutes": arguments.minutes})
    out = arguments.work / part
    cache = arguments.work / f"features-{'any-turn' if options['recipe'] == 'finetune' else 'upright'}"
    arguments.work.mkdir(parents=True, exist_ok=True)
    with progress_bar() as on_step:
        report = tiepoint.train(
            arguments.photos / "train",
            out,
            val=arguments.photos / "val",
            extractor=EXTRACTOR,
            cache=cache,
            resume=True,
            on_step=on_step,
            **options,
        )
    return {"options": options, "report": report.to_dict(), **MEASURES[part](report, arguments)}


def nothing_more(report: TrainingReport, arguments: argparse.Namespace) -> dict[str, Any]:
    """The report's own table is what that part is about."""
    return {}


def measure_turns(report: TrainingReport, arguments: argparse.Namespace) -> dict[str, Any]:
    """Figures of the published matcher and of the trained one, on pairs of which image 1 is turned."""
    published = load_published(EXTRACTOR, torch.device("cpu"))
    networks = networks_of(report, published)
    photographs = find_images(arguments.photos / "val")
    upright, _ = held_out_pairs(
        photographs, published.extractor, arguments.work / "features-upright" / "val", PROTOCOL
    )
    figures: dict[str, Any] = {}
    for turns in TURNS:
        pairs = upright if turns == 0 else [turned(pair, turns, published.extractor) for pair in upright]
        figures[str(90 * turns)] = {
            "mutual nearest": validate(nearest_matcher(), pairs, PROTOCOL).to_dict(),
            **{name: validate_network(net, pairs, PROTOCOL).to_dict() for name, net in networks.items()},
        }
    return {"turned": figures}


def measure_speed(report: TrainingReport, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds to match the same pair of 2048 keypoints: the published nine layers, and the student, adaptive and not."""
    photographs = find_images(arguments.photos / "val")[:2]
    seconds = {}
    for name, preset in (("published", "aliked+lightglue"), ("trained", report.folder)):
        for adaptive in (False, True):
            matcher = tiepoint.load(
                preset, max_keypoints=SPEED_KEYPOINTS, resize=1024, adaptive=adaptive, device="cpu"
            )
            pair = tuple(matcher.extract(path) for path in photographs)
            runs = list(timed(lambda m=matcher, p=pair: m.match_features([p])))
            seconds[f"{name}, {'adaptive' if adaptive else 'all layers'}"] = median(runs)
    return {"seconds": seconds, "keypoints": SPEED_KEYPOINTS}


MEASURES: dict[str, Callable[[TrainingReport, argparse.Namespace], dict[str, Any]]] = {
    "a": nothing_more,
    "b": nothing_more,
    "c": measure_turns,
    "d": measure_speed,
}
"""What is measured beside the report's own table."""


def networks_of(report: TrainingReport, published: Published) -> dict[str, LightGlue]:
    """The published matcher and the trained one."""
    assert published.matcher is not None
    trained = tiepoint.load(report.folder, device="cpu").matcher
    return {"published": published.matcher, "trained": trained.network}  # type: ignore[attr-defined]


def turned(pair: HeldOutPair, quarter_turns: int, extractor: NeuralExtractor) -> HeldOutPair:
    """The pair with image 1 turned, so that its features are found anew; without its augmentation."""
    source = pair.view1.features.source
    assert source is not None
    size = pair.view1.features.image_size
    pixels = warp_image(read_image(source), pair.view1.homography, size)
    settings = replace(extractor.settings, resize=None, max_keypoints=PROTOCOL.views.max_keypoints)
    image = Image(pixels=torch.rot90(pixels, quarter_turns, (1, 2)))
    features = NeuralExtractor(extractor.network, settings).extract(image)
    return HeldOutPair(
        pair.view0, View(features, pair.view1.homography @ upright_from_turned(size, quarter_turns))
    )


def upright_from_turned(size: tuple[int, int], quarter_turns: int) -> np.ndarray:
    """From px of an image turned counter-clockwise to px of the image of this size as it was."""
    homography, (width, height) = np.eye(3), size
    for _ in range(quarter_turns):
        # a turn takes (x, y) to (y, width - 1 - x)
        homography = homography @ np.array([[0.0, -1, width - 1], [1, 0, 0], [0, 0, 1]])
        width, height = height, width
    return homography


def timed(work: Callable[[], Any]) -> Iterator[float]:
    """Seconds of each run, after one that warms up."""
    work()
    for _ in range(SPEED_RUNS):
        start = perf_counter()
        work()
        yield perf_counter() - start


def about(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "command": "python benchmarks/training.py",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": asdict(describe_machine()),
        "threads": arguments.threads,
        "photographs": {name: len(find_images(arguments.photos / name)) for name in ("train", "val")},
    }


if __name__ == "__main__":
    main()
