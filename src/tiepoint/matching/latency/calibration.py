"""Calibration: measure the cost model of a preset on this machine, and keep it in $TIEPOINT_HOME/latency.

The measurement takes about two seconds on a desktop CPU. There is one file per machine (processor, cores, threads,
versions, device) and preset. A damaged file is measured again. A measurement that other programs disturbed is not kept,
and one that cannot be written only costs time.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import torch

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.image import Image, ImageTransform
from tiepoint.io.config import from_dict, to_dict
from tiepoint.io.hashing import json_digest
from tiepoint.io.home import home_folder
from tiepoint.io.machine import available_cores, processor_name, waiting_seconds
from tiepoint.io.serialization import write_json
from tiepoint.io.versions import installed_versions
from tiepoint.matching.inputs import FeaturePair, PairMatcher
from tiepoint.matching.latency.cost_model import CostModel, ExtractionCost, TokenCost
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.device import synchronize
from tiepoint.types import Features

logger = logging.getLogger(__name__)

FORMAT = 1  # version of the file format; other versions are measured again
RUNS = 3  # timed runs of a short calibration, after a warm-up
DEFAULT_SIDE = 1024  # longer side in px of the measured images if images keep their size
MAX_WAITING = 0.1  # fraction of the time that a kept calibration may have waited for a core
MAX_SECONDS = 2.0  # no further run of the same measurement after this time
FEW_KEYPOINTS = 64
TOKEN_STEPS = (1 / 16, 1 / 4, 1 / 2, 1)  # measured numbers of keypoints, as fractions of the maximum
DEFAULT_KEYPOINTS = 2048  # maximum number of keypoints that is measured
MIN_SECONDS = 1e-6  # measured differences are at least this
MEASURED_LAYERS = 3  # layers of the longer of two runs, whose difference is the cost of a layer

Work = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationKey:
    """Everything that measured times depend on.

    Attributes:
        processor: Name of the processor.
        device: "cpu", or the name of the GPU.
        cores: Number of CPU cores available to this process.
        threads: Number of torch CPU threads.
        versions: Versions of tiepoint and torch.
        preset: Fingerprint of extractor and matcher.
    """

    processor: str
    device: str
    cores: int
    threads: int
    versions: dict[str, str]
    preset: str

    @property
    def path(self) -> Path:
        """File of the cost model."""
        return home_folder() / "latency" / f"{json_digest(asdict(self))}.json"


def calibration_key(extractor: NeuralExtractor, matcher: PairMatcher) -> CalibrationKey:
    """Describe this machine and the preset."""
    device = extractor.device
    return CalibrationKey(
        processor=processor_name(),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        cores=available_cores(),
        threads=torch.get_num_threads(),
        versions=installed_versions(("tiepoint", "torch")),
        preset=f"{extractor.fingerprint}-{matcher.fingerprint}",
    )


def load_costs(extractor: NeuralExtractor, matcher: PairMatcher) -> CostModel:
    """Return the cost model of a preset on this machine; measured and kept if there is none yet.

    Both networks have run once when it returns, so that the first pair is as fast as the others.

    Args:
        extractor: Extractor of the preset.
        matcher: Matcher of the preset.
    """
    key = calibration_key(extractor, matcher)
    known = read_costs(key)
    if known is not None:
        warm_up(extractor, matcher)
        return known
    logger.info("measuring extraction and matching for the latency budget; this takes a few seconds, once")
    return calibrate(extractor, matcher)


def calibrate(extractor: NeuralExtractor, matcher: PairMatcher, *, runs: int = RUNS) -> CostModel:
    """Measure the cost model of a preset on this machine, and keep it unless other programs disturbed it.

    Args:
        extractor: Extractor of the preset.
        matcher: Matcher of the preset.
        runs: Timed runs per measurement; the fastest counts.
    """
    start, waited = perf_counter(), waiting_seconds()
    costs = measure_costs(extractor, matcher, runs=runs)
    if waiting_seconds() - waited > MAX_WAITING * (perf_counter() - start):
        logger.warning(
            "other programs slowed the latency calibration down, so it is not kept; measure on an idle machine: "
            "tiepoint bench --tune"
        )
    else:
        write_costs(calibration_key(extractor, matcher), costs)
    return costs


def read_costs(key: CalibrationKey) -> CostModel | None:
    """Read the cost model of a machine and preset; None without a usable file."""
    try:
        values = json.loads(key.path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT or values["key"] != asdict(key):
            raise InvalidInput(f"expected format {FORMAT} of this machine and preset")
        return from_dict(CostModel, values["costs"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("cannot use the latency calibration %s: %s; it is measured again", key.path, error)
        return None


def write_costs(key: CalibrationKey, costs: CostModel) -> None:
    """Keep a cost model; a warning if it cannot be written."""
    try:
        key.path.parent.mkdir(parents=True, exist_ok=True)
        write_json({"format": FORMAT, "key": asdict(key), "costs": to_dict(costs)}, key.path)
    except (OSError, InvalidInput) as error:
        logger.warning("cannot keep the latency calibration, so every process measures it: %s", error)


def measure_costs(extractor: NeuralExtractor, matcher: PairMatcher, *, runs: int = RUNS) -> CostModel:
    """Measure extraction with noise images, and matching with random features.

    Args:
        extractor: Extractor of the preset.
        matcher: Matcher of the preset.
        runs: Timed runs per measurement; the fastest counts.
    """
    layer, assignment = _measure_matching(extractor, matcher, runs)
    return CostModel(
        extraction=_measure_extraction(extractor, runs),
        layer=layer,
        assignment=assignment,
        layers=num_layers(matcher),
    )


def warm_up(extractor: NeuralExtractor, matcher: PairMatcher) -> None:
    """Extract and match once."""
    transform, keypoints = next(_measured_images(extractor))
    _extraction(extractor, transform, keypoints)()
    matcher.match([random_pair(extractor, keypoints)])


def num_layers(matcher: PairMatcher) -> int:
    """Return how many layers a matcher may run; 0 for nearest neighbors."""
    return matcher.max_layers if isinstance(matcher, LightGlueMatcher) else 0


def random_pair(extractor: NeuralExtractor, count: int) -> FeaturePair:
    """Return random features of the extractor's kind, on its device."""
    generator = torch.Generator(device="cpu").manual_seed(0)

    def features() -> Features:
        directions = torch.randn(
            count, extractor.descriptor_dim, generator=generator, dtype=torch.float32, device="cpu"
        )
        return Features(
            keypoints=torch.rand(count, 2, generator=generator, dtype=torch.float32, device="cpu")
            * DEFAULT_SIDE,
            scores=torch.linspace(1, 0.5, count, dtype=torch.float32, device="cpu"),
            descriptors=torch.nn.functional.normalize(directions, dim=1),
            image_size=(DEFAULT_SIDE, DEFAULT_SIDE),
            scales=torch.ones(count, dtype=torch.float32, device="cpu"),
            orientations=torch.zeros(count, dtype=torch.float32, device="cpu"),
            kind=extractor.settings.kind,
        ).to(extractor.device)

    return features(), features()


def _measure_extraction(extractor: NeuralExtractor, runs: int) -> ExtractionCost:
    transforms: list[ImageTransform] = []
    keypoints: list[int] = []
    seconds: list[float] = []
    for transform, max_keypoints in _measured_images(extractor):
        extract = _extraction(extractor, transform, max_keypoints)
        keypoints.append(len(extract()))
        seconds.append(_fastest_seconds(extract, runs, extractor.device))
        transforms.append(transform)
    return ExtractionCost.fit(transforms, keypoints, seconds)


def _measured_images(extractor: NeuralExtractor) -> Iterator[tuple[ImageTransform, int]]:
    """Yield image sizes and numbers of keypoints that separate the coefficients of extraction."""
    side = extractor.settings.resize or DEFAULT_SIDE
    full, narrow = (side, max(1, side * 3 // 4)), (side, max(1, side // 4))
    yield extractor.transform(full), _max_keypoints(extractor)
    yield extractor.transform(full), FEW_KEYPOINTS
    yield extractor.transform(narrow), FEW_KEYPOINTS
    if extractor.settings.resize is not None:
        yield extractor.transform((2 * full[0], 2 * full[1])), FEW_KEYPOINTS


def _extraction(
    extractor: NeuralExtractor, transform: ImageTransform, max_keypoints: int
) -> Callable[[], Features]:
    """Return a function that extracts features from noise."""
    width, height = transform.original_size
    generator = torch.Generator(device="cpu").manual_seed(0)
    pixels = torch.randint(256, (3, height, width), dtype=torch.uint8, generator=generator, device="cpu")
    image = Image(pixels=pixels)
    return partial(extractor.limited(max_keypoints).extract, image)


def _measure_matching(
    extractor: NeuralExtractor, matcher: PairMatcher, runs: int
) -> tuple[TokenCost, TokenCost]:
    """Return the cost of one layer, and of everything else; both from the times of two numbers of layers."""
    more = min(MEASURED_LAYERS, num_layers(matcher))
    tokens: list[int] = []
    per_layer: list[float] = []
    others: list[float] = []
    for count in (max(1, round(step * _max_keypoints(extractor))) for step in TOKEN_STEPS):
        pair = random_pair(extractor, count)
        one, many = (
            _fastest_seconds(partial(_layer_limited(matcher, layers).match, [pair]), runs, extractor.device)
            for layers in (1, more)
        )
        layer = max(MIN_SECONDS, (many - one) / (more - 1) if more > 1 else one * more)
        tokens.append(2 * count)
        per_layer.append(layer)
        others.append(max(MIN_SECONDS, one - layer if more else one))
    cost = TokenCost.fit(tokens, per_layer)
    return cost if more else TokenCost(constant=0.0, per_token=0.0, per_token_pair=0.0), TokenCost.fit(
        tokens, others
    )


def _layer_limited(matcher: PairMatcher, layers: int | None) -> PairMatcher:
    """Return the matcher with a maximum number of layers, in which no pair stops early and no keypoint is pruned."""
    if not isinstance(matcher, LightGlueMatcher):
        return matcher
    return matcher.variant(adaptivity=matcher.settings.adaptivity.without_effect(), max_layers=layers)


def _fastest_seconds(work: Work, runs: int, device: torch.device) -> float:
    """Return the time of the fastest run in seconds, after one to warm up: other programs can only slow a run down.

    There are fewer runs if they take long.
    """
    start = perf_counter()
    seconds = [_seconds_of(work, device)]
    for _ in range(runs):
        seconds.append(_seconds_of(work, device))
        if perf_counter() - start > MAX_SECONDS:
            break
    return min(seconds)


def _seconds_of(work: Work, device: torch.device) -> float:
    synchronize(device)
    start = perf_counter()
    work()
    synchronize(device)
    return perf_counter() - start


def _max_keypoints(extractor: NeuralExtractor) -> int:
    return min(extractor.settings.max_keypoints or DEFAULT_KEYPOINTS, DEFAULT_KEYPOINTS)
