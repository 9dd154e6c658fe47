"""LightGlueForKeypointMatching against transformers: single pairs, tiny and full-size random weights, real weights.

Decisions are equal, scores agree within 2e-5 (tiny, scaled networks) or 1e-4. In transformers 1.0 disables early stopping
or pruning, since -1 is broken there, and if two images lost different numbers of keypoints, the match of the last
keypoint is overwritten; both defects are demonstrated in test_transformers_defects.py.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PIL.Image
import pytest
import torch
from tests.helpers.random_networks import full_config, random_model, tiny_config
from torch import Tensor, nn

from tiepoint.huggingface import (
    AutoImageProcessor,
    LightGlueConfig,
    LightGlueForKeypointMatching,
    LightGlueImageProcessorFast,
    SuperPointConfig,
    from_transformers,
    to_transformers,
)
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.real

MODES = {"off": (1.0, 1.0), "depth": (0.95, 1.0), "width": (1.0, 0.7), "both": (0.95, 0.7)}
SIZES: dict[str, tuple[Callable[..., LightGlueConfig], float]] = {
    # 1e-5 for tiny networks elsewhere; these weights are scaled up until there are matches, which also scales rounding
    "tiny": (tiny_config, 2e-5),
    "full": (full_config, 1e-4),
}
SEED = 2


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def views(shared_data: Path) -> Tensor:
    """Two crops (1, 2, 3, 240, 320) of one image, 16 px and 8 px apart, similar enough for random networks."""
    folder = shared_data / "superglue_assets" / "phototourism_sample_images"
    with PIL.Image.open(folder / "united_states_capitol_26757027_6717084061.jpg") as photo:
        scene = photo.convert("RGB").resize((336, 248))
    processor = LightGlueImageProcessorFast(do_resize=False)
    crops = [scene.crop((0, 0, 320, 240)), scene.crop((16, 8, 336, 248))]
    return processor(crops, return_tensors="pt")["pixel_values"]


def both(
    config: LightGlueConfig, views: Tensor, seed: int = SEED
) -> tuple[LightGlueForKeypointMatching, nn.Module]:
    """Return our model and transformers' model with the same weights."""
    ours = random_model(config, views[0, 0], seed)
    return ours, to_transformers(ours)


def by_position(output: Any, size: tuple[int, int], without_last: bool = False) -> list[SimpleNamespace]:
    """Return both images of the first pair, keypoints in raster order, each match as the position of its partner.

    So the order of keypoints (by score or in raster order, and of ties) makes no difference. `without_last` marks
    transformers' last keypoint, to be left out.
    """
    width, height = size
    pixels = (output.keypoints[0] * torch.tensor([width, height])).round().long()
    positions = pixels[..., 1] * width + pixels[..., 0]
    sides = []
    for k in (0, 1):
        valid = output.mask[0, k].bool()
        partners = torch.where(output.matches[0, k] < 0, -1, positions[1 - k][output.matches[0, k]])
        order = positions[k][valid].argsort()
        columns = (positions[k], partners, output.matching_scores[0, k], output.prune[0, k])
        position, match, score, prune = (column[valid][order] for column in columns)
        keep = (
            position != positions[k][valid][-1]
            if without_last
            else torch.ones_like(position, dtype=torch.bool)
        )
        sides.append(SimpleNamespace(position=position, match=match, score=score, prune=prune, keep=keep))
    return sides


def assert_agree(ours: Any, theirs: Any, within: float, size: tuple[int, int] = (320, 240)) -> None:
    lost = [(prune < prune.max()).sum() for prune in theirs.prune[0]]
    expected = by_position(theirs, size, without_last=bool(lost[0] != lost[1]))
    for mine, their in zip(by_position(ours, size), expected, strict=True):
        assert torch.equal(mine.position, their.position)
        assert torch.equal(mine.prune, their.prune)
        assert torch.equal(mine.match[their.keep], their.match[their.keep])
        assert int((mine.match >= 0).sum()) > 50
        torch.testing.assert_close(mine.score[their.keep], their.score[their.keep], atol=within, rtol=0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES)
def test_matches_of_a_pair_are_equal(size: str, mode: str, views: Tensor):
    make, within = SIZES[size]
    depth, width = MODES[mode]
    ours, theirs = both(make(depth_confidence=depth, width_confidence=width), views)
    assert_agree(ours(views), theirs(views), within)


def test_modes_stop_and_prune_differently(views: Tensor):
    """Makes the comparisons meaningful: pairs stop early, and keypoints are pruned."""
    for make, layers in ((tiny_config, 3), (full_config, 9)):
        prune = {}
        for mode, (depth, width) in MODES.items():
            model = random_model(make(depth_confidence=depth, width_confidence=width), views[0, 0], SEED)
            prune[mode] = model(views).prune
        assert prune["off"].unique().tolist() == [layers]
        assert prune["depth"].unique().tolist() < [layers]
        assert len(prune["width"].unique()) > 2


def test_all_keypoints_above_the_threshold(views: Tensor):
    """max_keypoints=-1, the default of both: all keypoints, with different numbers in the two images."""
    ours, theirs = both(tiny_config(max_keypoints=-1), views)
    mine, their = ours(views), theirs(views)
    counts = their.mask[0].sum(dim=1).tolist()
    assert min(counts) > 300
    assert counts[0] != counts[1]
    assert mine.mask[0].sum(dim=1).tolist() == counts
    assert_agree(mine, their, 1e-4)  # scores decrease with the number of keypoints


def test_fields_have_equal_names_shapes_and_dtypes(views: Tensor):
    ours, theirs = both(tiny_config(), views)
    mine, their = ours(views), theirs(views)
    assert [name for name in mine.keys() if name != "image_sizes"] == list(their.keys())  # noqa: SIM118, no dict
    for name, tensor in their.items():
        assert mine[name].shape == tensor.shape, name
        assert mine[name].is_floating_point() == tensor.is_floating_point(), name
    assert mine.matches.dtype == their.matches.dtype == torch.int64
    assert mine.keypoints.dtype == their.keypoints.dtype == torch.float32
    assert mine.image_sizes.tolist() == [[[240, 320], [240, 320]]]
    assert mine.loss is their.loss is None


def test_tuples_are_equal(views: Tensor):
    ours, theirs = both(tiny_config(), views)
    mine, their = ours(views, return_dict=False), theirs(views, return_dict=False)
    assert isinstance(mine, tuple)
    names = ("matches", "matching_scores", "keypoints", "prune", "mask")
    fields = [dict(zip(names, output, strict=True)) for output in (mine, their)]
    assert len(mine) == len(their) == len(names)
    assert_agree(*(SimpleNamespace(**values) for values in fields), SIZES["tiny"][1])


def detected(theirs: nn.Module, views: Tensor) -> dict[str, Tensor]:
    """Return the output of transformers' detector as external features: the same keypoints in the same order."""
    keypoints, _, descriptors, mask = theirs.keypoint_detector(views.flatten(0, 1))[:4]
    found = {"keypoints": keypoints, "descriptors": descriptors, "mask": mask}
    return {name: values.unflatten(0, (-1, 2)) for name, values in found.items()}


@pytest.mark.parametrize("max_keypoints", [300, -1], ids=["equal counts", "padded"])
def test_hidden_states_and_attentions_are_equal(views: Tensor, max_keypoints: int):
    config = tiny_config(max_keypoints=max_keypoints, depth_confidence=1.0, width_confidence=1.0)
    ours, theirs = both(config, views)
    theirs.set_attn_implementation("eager")
    their = theirs(views, output_hidden_states=True, output_attentions=True)
    found = detected(theirs, views)
    with pytest.warns(UserWarning, match="adaptive inference is off in this call"):
        mine = ours(views, **found, output_hidden_states=True, output_attentions=True)
    valid = found["mask"].flatten(0, 1).bool()
    assert len(mine.hidden_states) == len(their.hidden_states) == 7 * 3
    for state, expected in zip(mine.hidden_states, their.hidden_states, strict=True):
        assert state.shape == expected.shape
        torch.testing.assert_close(state[valid], expected[valid], atol=1e-5, rtol=1e-5)
    assert len(mine.attentions) == len(their.attentions) == 2 * 3
    for weights, expected in zip(mine.attentions, their.attentions, strict=True):
        assert weights.shape == expected.shape
        queries = valid[:, None, :, None].expand_as(weights)
        torch.testing.assert_close(weights[queries], expected[queries], atol=1e-5, rtol=1e-5)
    assert torch.equal(mine.matches, their.matches)


def test_hidden_states_or_attentions_alone(views: Tensor):
    ours, theirs = both(tiny_config(depth_confidence=1.0, width_confidence=1.0), views)
    ours.config.depth_confidence = ours.config.width_confidence = -1
    for option in ("output_hidden_states", "output_attentions"):
        mine, their = ours(views, **{option: True}), theirs(views, **{option: True})
        assert (mine.hidden_states is None) == (their.hidden_states is None)
        assert (mine.attentions is None) == (their.attentions is None)
        assert torch.equal(mine.matches, ours(views).matches)


class GivenKeypoints(nn.Module):
    """Replacement for the SuperPoint of transformers."""

    def __init__(self, keypoints: Tensor, descriptors: Tensor) -> None:
        super().__init__()
        self.keypoints, self.descriptors = keypoints, descriptors

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        ones = torch.ones(self.keypoints.shape[:2])
        return self.keypoints, ones, self.descriptors, ones.int()


@pytest.fixture(scope="module")
def aliked() -> LightGlueForKeypointMatching:
    config = {"keypoint_detector_config": {"model_type": "aliked", "max_keypoints": 512}}
    return LightGlueForKeypointMatching.from_pretrained("aliked+lightglue", **config)


@pytest.fixture(
    scope="module",
    params=[("DSC_0410.JPG", "DSC_0411.JPG"), ("sacre_coeur1.jpg", "sacre_coeur2.jpg")],
    ids=["easy", "hard"],
)
def features(request: pytest.FixtureRequest, shared_data: Path, aliked) -> SimpleNamespace:
    """The top 512 ALIKED keypoints of two images of 480 x 640 px, relative to the image, with descriptors."""
    processor = AutoImageProcessor.from_pretrained("aliked+lightglue", size={"height": 480, "width": 640})
    photos = [shared_data / "lightglue_assets" / name for name in request.param]
    pixel_values = processor(photos, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        found = aliked.keypoint_detector(pixel_values[0], max_keypoints=512)
    return SimpleNamespace(
        pixel_values=pixel_values,
        keypoints=torch.stack([image.keypoints for image in found]) / torch.tensor([640, 480]),
        descriptors=torch.stack([image.descriptors for image in found]),
    )


@pytest.mark.weights
@pytest.mark.parametrize("confidences", [(0.95, 0.99), (1.0, 1.0)], ids=["adaptive", "all layers"])
def test_matches_with_published_aliked_weights_are_equal(aliked, features, confidences):
    aliked.config.depth_confidence, aliked.config.width_confidence = confidences
    mine = aliked(
        features.pixel_values, keypoints=features.keypoints[None], descriptors=features.descriptors[None]
    )
    theirs = transformers.LightGlueForKeypointMatching(
        transformers.LightGlueConfig(
            keypoint_detector_config=transformers.SuperPointConfig(descriptor_decoder_dim=128),
            depth_confidence=confidences[0],
            width_confidence=confidences[1],
        )
    ).eval()
    theirs.keypoint_detector = GivenKeypoints(features.keypoints, features.descriptors)
    state = aliked.hub_state_dict().items()
    theirs.load_state_dict({n: t for n, t in state if not n.startswith(DETECTOR_PREFIX)}, strict=True)
    assert_agree(mine, theirs(features.pixel_values), within=1e-4, size=(6400, 4800))


@pytest.mark.parametrize("size", SIZES)
def test_conversion_round_trip(size: str, views: Tensor):
    ours, theirs = both(SIZES[size][0](), views)
    back = from_transformers(theirs)
    assert isinstance(back.config.keypoint_detector_config, SuperPointConfig)
    for name, tensor in ours.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    assert torch.equal(back(views).matches, ours(views).matches)
