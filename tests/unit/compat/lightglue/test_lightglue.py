import pytest
import torch
from tests.helpers.compat_lightglue import SIZES, feature_pair, pad_batch, tiny_lightglue

from tiepoint.compat.lightglue import LightGlue
from tiepoint.errors import InvalidInput, WeightsError

KEYS = [
    "matches0",
    "matches1",
    "matching_scores0",
    "matching_scores1",
    "stop",
    "matches",
    "scores",
    "prune0",
    "prune1",
]


@pytest.fixture
def matcher() -> LightGlue:
    return tiny_lightglue()


def match(matcher: LightGlue, pair) -> dict:
    return matcher({"image0": pair[0], "image1": pair[1]})


def test_keys_shapes_and_dtypes(matcher: LightGlue) -> None:
    found = match(matcher, feature_pair((70, 50)))
    assert list(found) == KEYS
    assert found["matches0"].shape == (1, 70)
    assert found["matching_scores1"].shape == (1, 50)
    assert found["matches"][0].shape == (len(found["scores"][0]), 2)
    assert len(found["scores"][0]) > 20
    assert found["prune0"].dtype == torch.int64
    assert isinstance(found["stop"], int)


def test_a_batch_of_different_counts_equals_single_pairs(matcher: LightGlue) -> None:
    counts = [(70, 50), (8, 90), (0, 40), (33, 1), (60, 60)]
    pairs = [feature_pair(count, seed) for seed, count in enumerate(counts)]
    batch = match(matcher, [pad_batch([pair[side] for pair in pairs]) for side in (0, 1)])
    alone = [match(matcher, pair) for pair in pairs]
    assert len({each["stop"] for each in alone}) > 1
    assert batch["stop"] == max(each["stop"] for each in alone)
    for index, (expected, (m, n)) in enumerate(zip(alone, counts, strict=True)):
        assert torch.equal(batch["matches"][index], expected["matches"][0])
        torch.testing.assert_close(batch["scores"][index], expected["scores"][0], atol=1e-5, rtol=0)
        for side, count in (("0", m), ("1", n)):
            for key, padding in (("matches", -1), ("matching_scores", 0), ("prune", 0)):
                row = batch[f"{key}{side}"][index]
                torch.testing.assert_close(row[:count], expected[f"{key}{side}"][0], atol=1e-5, rtol=0)
                assert (row[count:] == padding).all()


def test_an_image_without_keypoints_has_no_matches(matcher: LightGlue) -> None:
    found = match(matcher, feature_pair((0, 5)))
    assert found["matches"][0].shape == (0, 2)
    assert found["matches1"].tolist() == [[-1] * 5]
    assert found["stop"] == 1  # as in cvg/LightGlue, which enters the first layer


def test_thresholds_of_conf_take_effect(matcher: LightGlue) -> None:
    pair = feature_pair((70, 50))
    before = match(matcher, pair)
    matcher.conf.filter_threshold = 0.99
    matcher.conf.depth_confidence = matcher.conf.width_confidence = -1
    after = match(matcher, pair)
    assert len(after["scores"][0]) < len(before["scores"][0])
    assert after["stop"] == SIZES["n_layers"]
    assert after["prune0"].dtype == torch.float32  # as in cvg/LightGlue
    assert (after["prune0"] == SIZES["n_layers"]).all()


def test_pruning_thresholds_take_effect(matcher: LightGlue, monkeypatch: pytest.MonkeyPatch) -> None:
    matcher.conf.depth_confidence, matcher.conf.width_confidence = 2.0, 0.5
    pair = feature_pair((70, 50))
    assert match(matcher, pair)["prune0"].unique().numel() > 1
    monkeypatch.setitem(LightGlue.pruning_keypoint_thresholds, "cpu", 100)
    assert match(matcher, pair)["prune0"].unique().tolist() == [1]


def test_changed_weights_take_effect(matcher: LightGlue) -> None:
    pair = feature_pair((70, 50))
    assert len(match(matcher, pair)["scores"][0]) > 20
    zeros = {name: torch.zeros_like(tensor) for name, tensor in matcher.state_dict().items()}
    matcher.load_state_dict(zeros)
    assert len(match(matcher, pair)["scores"][0]) == 0


def test_old_names_of_tensors_load(matcher: LightGlue) -> None:
    state = matcher.state_dict()
    old = {
        name.replace("transformers.1.self_attn", "self_attn.1")
        .replace("transformers.1.cross_attn", "cross_attn.1")
        .replace("transformers.0.self_attn", "self_attn.0")
        .replace("transformers.0.cross_attn", "cross_attn.0")
        .replace("transformers.2.self_attn", "self_attn.2")
        .replace("transformers.2.cross_attn", "cross_attn.2")
        .replace("transformers.3.self_attn", "self_attn.3")
        .replace("transformers.3.cross_attn", "cross_attn.3"): tensor
        for name, tensor in state.items()
    }
    other = LightGlue(features=None, **SIZES)
    other.load_state_dict(old)
    assert torch.equal(
        other.state_dict()["transformers.3.cross_attn.to_v.weight"],
        state["transformers.3.cross_attn.to_v.weight"],
    )


def test_a_missing_tensor_is_an_error(matcher: LightGlue) -> None:
    state = matcher.state_dict()
    del state["posenc.Wr.weight"]
    with pytest.raises(WeightsError, match=r"posenc\.Wr\.weight"):
        matcher.load_state_dict(state)


def test_weights_of_a_file_and_their_first_layers(matcher: LightGlue, tmp_path) -> None:
    torch.save(matcher.state_dict(), tmp_path / "mine.pth")
    assert LightGlue(features=None, weights=tmp_path / "mine.pth").conf.n_layers == 4
    first = LightGlue(features="sift", weights=tmp_path / "mine.pth", n_layers=2)
    assert (first.conf.n_layers, first.conf.input_dim) == (2, 64)
    with pytest.raises(InvalidInput, match="7"):
        LightGlue(features=None, weights=tmp_path / "mine.pth", n_layers=7)


def test_scales_and_orientations(tmp_path) -> None:
    matcher = LightGlue(features=None, add_scale_ori=True, **SIZES)
    pair = feature_pair((9, 7))
    with pytest.raises(InvalidInput, match="scales"):
        match(matcher, pair)
    framed = [
        image | {key: torch.rand(1, image["keypoints"].shape[1]) for key in ("scales", "oris")}
        for image in pair
    ]
    assert match(matcher, framed)["matches0"].shape == (1, 9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": "alike"}, "did you mean 'aliked'"),
        ({"features": "sift"}, r"sift_lightglue\.pth"),
        ({"features": None, "depth_confidenc": 0.9}, "did you mean 'depth_confidence'"),
        ({"features": None, "filter_threshold": 2}, "filter_threshold"),
    ],
)
def test_invalid_options(arguments: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        LightGlue(**arguments)


def test_missing_and_misspelled_keys(matcher: LightGlue) -> None:
    image0, image1 = feature_pair((4, 5))
    with pytest.raises(InvalidInput, match="missing key 'image1'"):
        matcher({"image0": image0})
    misspelled = {"keypoint": image1["keypoints"], "descriptors": image1["descriptors"]}
    with pytest.raises(InvalidInput, match="did you mean 'keypoint'"):
        matcher({"image0": image0, "image1": misspelled})


def test_batches_of_different_size_are_an_error(matcher: LightGlue) -> None:
    image0, image1 = feature_pair((4, 5))
    with pytest.raises(InvalidInput, match="1 and 2"):
        matcher({"image0": image0, "image1": pad_batch([image1, image1])})


def test_compile_warns_that_it_has_no_effect(matcher: LightGlue) -> None:
    with pytest.warns(UserWarning, match="no effect"):
        matcher.compile(mode="reduce-overhead")


def test_scores_carry_no_gradients_and_outlive_inference_mode(matcher: LightGlue) -> None:
    with torch.inference_mode():
        found = match(matcher, feature_pair((20, 20)))
    assert not found["matching_scores0"].requires_grad
    assert not found["matching_scores0"].is_inference()
