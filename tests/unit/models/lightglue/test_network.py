"""The network against the paper's formulas, written out for single pairs and single heads."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tiepoint.errors import InvalidInput
from tiepoint.models.lightglue.attention import DenseAttention
from tiepoint.models.lightglue.network import (
    CrossBlock,
    LightGlue,
    LightGlueShape,
    PositionalEncoding,
    SelfBlock,
    normalize_keypoints,
    rotate,
)

SHAPE = LightGlueShape(input_dim=12, dim=16, layers=3, heads=2)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_weights(module: torch.nn.Module, seed: int = 0) -> None:
    """Weights that leave no term of a formula at zero or one."""
    for k, parameter in enumerate(module.parameters()):
        parameter.data = 0.4 * draw(*parameter.shape, seed=1000 * seed + k)


@pytest.fixture(scope="module")
def network() -> LightGlue:
    network = LightGlue(SHAPE).eval()
    random_weights(network)
    return network


def inputs(m: int, n: int, *, batch: int = 1, shape: LightGlueShape = SHAPE, seed: int = 0) -> list[Tensor]:
    """Positions and descriptors of image 0, then of image 1."""
    sizes = [(m, shape.position_dim), (m, shape.input_dim), (n, shape.position_dim), (n, shape.input_dim)]
    return [draw(batch, *size, seed=10 * seed + k) for k, size in enumerate(sizes)]


# --- The formulas, on one pair: tokens (m, d) and (n, d), and a state dict with the official names ---


def linear(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def merge_by_hand(state: dict[str, Tensor], name: str, x: Tensor, message: Tensor) -> Tensor:
    hidden = linear(state, f"{name}.ffn.0", torch.cat([x, message], dim=-1))
    hidden = hidden - hidden.mean(-1, keepdim=True)
    hidden = hidden / torch.sqrt(hidden.square().mean(-1, keepdim=True) + 1e-5)
    hidden = hidden * state[f"{name}.ffn.1.weight"] + state[f"{name}.ffn.1.bias"]
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
    return x + linear(state, f"{name}.ffn.3", hidden)


def attention_by_hand(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = torch.exp(q @ k.T / math.sqrt(q.shape[1]))
    return weights / weights.sum(dim=1, keepdim=True) @ v


def turn_by_hand(x: Tensor, angles: Tensor) -> Tensor:
    """Neighboring columns are real and imaginary part; turn each pair by its angle."""
    complex_numbers = torch.complex(x[..., 0::2], x[..., 1::2])
    turned = complex_numbers * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten(-2)


def self_block_by_hand(state: dict[str, Tensor], name: str, x: Tensor, angles: Tensor, heads: int) -> Tensor:
    qkv = linear(state, f"{name}.Wqkv", x)
    width = x.shape[1] // heads
    context = []
    for head in range(heads):
        start, stop = 3 * head * width, 3 * (head + 1) * width
        q, k, v = (qkv[:, start + part : stop : 3] for part in range(3))
        context.append(attention_by_hand(turn_by_hand(q, angles), turn_by_hand(k, angles), v))
    return merge_by_hand(state, name, x, linear(state, f"{name}.out_proj", torch.cat(context, dim=1)))


def cross_block_by_hand(state: dict[str, Tensor], name: str, x: Tensor, other: Tensor, heads: int) -> Tensor:
    """What image `x` becomes; the other image is as it was before the block."""
    queries, keys = ("to_q", "to_k") if f"{name}.to_q.weight" in state else ("to_qk", "to_qk")
    q = linear(state, f"{name}.{queries}", x).chunk(heads, dim=1)
    k, v = (linear(state, f"{name}.{part}", other).chunk(heads, dim=1) for part in (keys, "to_v"))
    context = [attention_by_hand(*parts) for parts in zip(q, k, v, strict=True)]
    return merge_by_hand(state, name, x, linear(state, f"{name}.to_out", torch.cat(context, dim=1)))


def log_assignment_by_hand(state: dict[str, Tensor], layer: int, x0: Tensor, x1: Tensor) -> Tensor:
    name, scale = f"log_assignment.{layer}", x0.shape[1] ** 0.25
    vectors0, vectors1 = (linear(state, f"{name}.final_proj", x) / scale for x in (x0, x1))
    z0, z1 = (linear(state, f"{name}.matchability", x) for x in (x0, x1))
    similarity = vectors0 @ vectors1.T
    both = F.logsigmoid(z0) + F.logsigmoid(z1).T
    scores = both + similarity.log_softmax(dim=0) + similarity.log_softmax(dim=1)
    scores = torch.cat([scores, F.logsigmoid(-z0)], dim=1)
    return torch.cat([scores, F.pad(F.logsigmoid(-z1).T, (0, 1))], dim=0)


def network_by_hand(
    network: LightGlue, shape: LightGlueShape, positions0, descriptors0, positions1, descriptors1
) -> Tensor:
    state = dict(network.state_dict())
    x0, x1 = descriptors0, descriptors1
    if shape.input_dim != shape.dim:
        x0, x1 = linear(state, "input_proj", x0), linear(state, "input_proj", x1)
    angles0, angles1 = (positions @ state["posenc.Wr.weight"].T for positions in (positions0, positions1))
    for i in range(shape.layers):
        self_attn, cross_attn = f"transformers.{i}.self_attn", f"transformers.{i}.cross_attn"
        x0 = self_block_by_hand(state, self_attn, x0, angles0, shape.heads)
        x1 = self_block_by_hand(state, self_attn, x1, angles1, shape.heads)
        x0, x1 = (
            cross_block_by_hand(state, cross_attn, x0, x1, shape.heads),
            cross_block_by_hand(state, cross_attn, x1, x0, shape.heads),
        )
    return log_assignment_by_hand(state, shape.layers - 1, x0, x1)


def assert_same_scores(actual: Tensor, expected: Tensor) -> None:
    """All but the corner, which means nothing: "no match" with "no match"."""
    torch.testing.assert_close(actual[..., :-1, :].double(), expected[..., :-1, :].double(), **CLOSE)
    torch.testing.assert_close(actual[..., -1, :-1].double(), expected[..., -1, :-1].double(), **CLOSE)


class TestNormalizeKeypoints:
    @pytest.mark.parametrize(
        ("size", "corner", "expected"),
        [
            ((640, 480), (0, 0), (-1, -0.75)),
            ((640, 480), (640, 480), (1, 0.75)),
            ((480, 640), (0, 0), (-0.75, -1)),
            ((480, 640), (240, 320), (0, 0)),
            ((100, 100), (75, 25), (0.5, -0.5)),
        ],
    )
    def test_both_axes_are_divided_by_the_longer_side(self, size, corner, expected):
        actual = normalize_keypoints(torch.tensor([corner]).float(), torch.tensor(size).float())
        assert actual.tolist() == [pytest.approx(expected)]

    def test_each_image_of_a_batch_has_its_own_size(self):
        keypoints = torch.tensor([[[10.0, 20.0]], [[10.0, 20.0]]])
        actual = normalize_keypoints(keypoints, torch.tensor([[20.0, 40.0], [80.0, 40.0]]))
        assert actual.tolist() == [[[0.0, 0.0]], [[-0.75, 0.0]]]

    def test_without_a_size_the_extent_of_the_keypoints_counts(self):
        keypoints = torch.tensor([[4.0, 10.0], [13.0, 29.0]])
        # 1 + max - min = (10, 20)
        expected = [[(4 - 5) / 10, (10 - 10) / 10], [(13 - 5) / 10, (29 - 10) / 10]]
        assert normalize_keypoints(keypoints).tolist() == [pytest.approx(row) for row in expected]

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_is_always_float32(self, dtype: torch.dtype):
        size = torch.tensor([4000.0, 3000.0])
        keypoints = torch.tensor([[1001.0, 3.0]]).to(dtype)
        actual = normalize_keypoints(keypoints, size.to(dtype))
        assert actual.dtype == torch.float32
        exact = (keypoints.float() - size.to(dtype).float() / 2) / (size.to(dtype).float().max() / 2)
        torch.testing.assert_close(actual, exact)

    def test_leaves_its_input_alone(self):
        keypoints = torch.tensor([[4.0, 10.0]])
        normalize_keypoints(keypoints, torch.tensor([20.0, 20.0]))
        assert keypoints.tolist() == [[4.0, 10.0]]

    @pytest.mark.parametrize("size", [None, torch.tensor([20.0, 30.0])])
    def test_no_keypoints(self, size: Tensor | None):
        assert normalize_keypoints(torch.zeros(0, 2), size).shape == (0, 2)


class TestPositions:
    @pytest.mark.parametrize("position_dim", [2, 4, 6])
    def test_each_pair_of_columns_is_turned_by_its_angle(self, position_dim: int):
        encoding = PositionalEncoding(position_dim, head_dim=8)
        random_weights(encoding)
        positions, x = draw(1, 5, position_dim), draw(1, 3, 5, 8, seed=1)
        (weight,) = encoding.parameters()
        assert weight.shape == (4, position_dim)
        angles = (positions @ weight.T)[:, None].expand(-1, 3, -1, -1)
        torch.testing.assert_close(rotate(x, encoding(positions)), turn_by_hand(x, angles), **CLOSE)

    def test_the_origin_turns_nothing(self):
        encoding = PositionalEncoding(2, head_dim=8)
        x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(rotate(x, encoding(torch.zeros(5, 2))), x)


class TestBlocks:
    @pytest.mark.parametrize("heads", [1, 2, 4])
    def test_self_block(self, heads: int):
        block, encoding = SelfBlock(16, heads), PositionalEncoding(2, head_dim=16 // heads)
        random_weights(block)
        random_weights(encoding, seed=1)
        x, positions = draw(1, 9, 16), draw(1, 9, 2, seed=1)
        actual = block(x, encoding(positions), DenseAttention(5, 4))[0]
        state = {f"block.{name}": value for name, value in block.state_dict().items()}
        angles = (positions @ next(encoding.parameters()).T)[0]
        for image in (slice(0, 5), slice(5, 9)):
            expected = self_block_by_hand(state, "block", x[0, image], angles[image], heads)
            torch.testing.assert_close(actual[image], expected, **CLOSE)

    @pytest.mark.parametrize("shared_qk", [True, False])
    @pytest.mark.parametrize("heads", [1, 2, 4])
    def test_cross_block_updates_both_images_from_the_values_before_it(self, heads: int, shared_qk: bool):
        block = CrossBlock(16, heads, shared_qk=shared_qk)
        random_weights(block)
        x = draw(1, 9, 16)
        actual = block(x, DenseAttention(5, 4))[0]
        state = {f"block.{name}": value for name, value in block.state_dict().items()}
        x0, x1 = x[0, :5], x[0, 5:]
        torch.testing.assert_close(actual[:5], cross_block_by_hand(state, "block", x0, x1, heads))
        torch.testing.assert_close(actual[5:], cross_block_by_hand(state, "block", x1, x0, heads))


class TestForward:
    @pytest.mark.parametrize(
        "shape",
        [
            SHAPE,
            LightGlueShape(input_dim=16, dim=16, layers=1, heads=1),
            LightGlueShape(input_dim=8, dim=24, layers=2, heads=3, position_dim=4),
            LightGlueShape(input_dim=8, dim=16, layers=2, heads=4, position_dim=6),
            LightGlueShape(input_dim=8, dim=16, layers=2, heads=4, shared_qk=False),
        ],
    )
    @pytest.mark.parametrize(("m", "n"), [(1, 1), (6, 9), (9, 2)])
    def test_is_the_formula(self, shape: LightGlueShape, m: int, n: int):
        network = LightGlue(shape).eval()
        random_weights(network)
        values = inputs(m, n, shape=shape)
        assert_same_scores(
            network(*values)[0], network_by_hand(network, shape, *(value[0] for value in values))
        )

    def test_the_formula_notices_a_wrong_detail(self, network: LightGlue):
        """The comparison above can fail: it does when v is taken where q is meant."""
        values = inputs(6, 9)
        expected = network_by_hand(network, SHAPE, *(value[0] for value in values))
        wrong = LightGlue(SHAPE).eval()
        state = {name: value.clone() for name, value in network.state_dict().items()}
        weight = state["transformers.0.self_attn.Wqkv.weight"]
        state["transformers.0.self_attn.Wqkv.weight"] = weight.unflatten(0, (-1, 3)).flip(1).flatten(0, 1)
        wrong.double().load_state_dict(state)
        with pytest.raises(AssertionError):
            assert_same_scores(wrong(*values)[0], expected)

    def test_pairs_of_a_batch_do_not_meet(self, network: LightGlue):
        values = inputs(6, 9, batch=3)
        together = network(*values)
        for k in range(3):
            assert_same_scores(together[k : k + 1], network(*(value[k : k + 1] for value in values)))

    def test_swapped_images_give_the_transposed_scores(self, network: LightGlue):
        positions0, descriptors0, positions1, descriptors1 = inputs(6, 9)
        scores = network(positions0, descriptors0, positions1, descriptors1)
        swapped = network(positions1, descriptors1, positions0, descriptors0)
        assert_same_scores(swapped.mT, scores)

    def test_permuted_keypoints_give_permuted_scores(self, network: LightGlue):
        positions0, descriptors0, positions1, descriptors1 = inputs(6, 9)
        order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
        scores = network(positions0, descriptors0, positions1, descriptors1)
        permuted = network(positions0[:, order], descriptors0[:, order], positions1, descriptors1)
        assert_same_scores(permuted[:, :-1], scores[:, order])

    @pytest.mark.parametrize("filling", [0.0, 30.0])
    def test_padding_changes_nothing(self, network: LightGlue, filling: float):
        values = inputs(5, 4)
        wide = [F.pad(value, (0, 0, 0, 8 - value.shape[1]), value=filling) for value in values]
        masks = [torch.arange(8)[None] < count for count in (5, 4)]
        actual, alone = network(*wide, *masks), network(*values)
        torch.testing.assert_close(actual[:, :5, :4], alone[:, :-1, :-1])
        torch.testing.assert_close(actual[:, :5, -1], alone[:, :-1, -1])
        torch.testing.assert_close(actual[:, -1, :4], alone[:, -1, :-1])
        assert bool((actual[:, 5:-1] == -torch.inf).all())
        assert bool((actual[:, :, 4:-1] == -torch.inf).all())

    def test_without_the_mask_padding_would_change_something(self, network: LightGlue):
        values = inputs(5, 4)
        wide = [F.pad(value, (0, 0, 0, 8 - value.shape[1])) for value in values]
        assert not torch.allclose(network(*wide)[:, :5, :4], network(*values)[:, :-1, :-1])

    def test_one_mask_is_enough(self, network: LightGlue):
        positions0, descriptors0, positions1, descriptors1 = inputs(5, 4)
        wide = [F.pad(value, (0, 0, 0, 3), value=7.0) for value in (positions0, descriptors0)]
        actual = network(*wide, positions1, descriptors1, mask0=torch.arange(8)[None] < 5)
        alone = network(positions0, descriptors0, positions1, descriptors1)
        torch.testing.assert_close(actual[:, :5], alone[:, :-1])

    def test_gradients_stay_finite_with_a_fully_padded_image(self, network: LightGlue):
        values = inputs(5, 4, batch=3)
        for value in values:
            value.requires_grad_()
        mask0 = torch.arange(5) < torch.tensor([[5], [2], [0]])
        mask1 = torch.arange(4) < torch.tensor([[3], [4], [4]])
        scores = network(*values, mask0, mask1)
        assert not bool(scores.isnan().any())
        gradients = torch.autograd.grad(
            scores[scores.isfinite()].sum(), [*values, *network.parameters()], allow_unused=True
        )
        # heads of earlier layers and all confidences take no part in the forward pass
        assert all(bool(gradient.isfinite().all()) for gradient in gradients if gradient is not None)
        assert all(gradient is not None and bool((gradient != 0).any()) for gradient in gradients[:4])

    def test_confidence_does_not_train_the_tokens(self, network: LightGlue):
        """The confidence is a classifier of finished tokens: its loss must not reach them (official `detach`)."""
        x = draw(1, 5, SHAPE.dim).requires_grad_()
        confidence = network.token_confidence[0](x)
        assert confidence.requires_grad
        assert torch.autograd.grad(confidence.sum(), x, allow_unused=True)[0] is None

    def test_two_calls_give_the_same_bits(self, network: LightGlue):
        values = inputs(30, 40, batch=2)
        assert torch.equal(network(*values), network(*values))

    @pytest.mark.parametrize(("m", "n"), [(0, 4), (5, 0), (0, 0)])
    def test_no_keypoints(self, network: LightGlue, m: int, n: int):
        scores = network(*inputs(m, n, batch=2))
        assert scores.shape == (2, m + 1, n + 1)
        assert not bool(scores.isnan().any())


def test_the_defaults_are_the_papers():
    assert LightGlueShape() == LightGlueShape(input_dim=256, dim=256, layers=9, heads=4, position_dim=2)
    assert LightGlueShape().head_dim == 64
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in LightGlue().parameters())
    # the official superpoint_lightglue.pth without its computed buffer
    assert parameters == expected_parameters(dim=256, layers=9, heads=4)


def expected_parameters(dim: int, layers: int, heads: int) -> int:
    """Counted by hand; the input needs no projection."""
    ffn = (2 * dim + 1) * 2 * dim + 2 * 2 * dim + (2 * dim + 1) * dim
    self_block = (dim + 1) * 3 * dim + (dim + 1) * dim + ffn
    cross_block = 3 * (dim + 1) * dim + ffn
    head, confidence = (dim + 1) * dim + dim + 1, dim + 1
    position = 2 * (dim // heads // 2)
    return position + layers * (self_block + cross_block + head) + (layers - 1) * confidence


class TestTruncated:
    @pytest.mark.parametrize("layers", [1, 2, 3])
    @pytest.mark.parametrize("training", [True, False])
    def test_keeps_the_first_layers_and_shares_their_weights(
        self, network: LightGlue, layers: int, training: bool
    ):
        truncated = LightGlue(SHAPE).train(training).truncated(layers)
        assert truncated.training is training
        truncated = network.truncated(layers)
        assert truncated.shape == replace(SHAPE, layers=layers)
        shared = network.state_dict()
        for name, tensor in truncated.state_dict().items():
            assert tensor.data_ptr() == shared[name].data_ptr()

    def test_matches_with_the_head_of_its_last_layer(self, network: LightGlue):
        values = inputs(6, 9)
        expected = network_by_hand(network, replace(SHAPE, layers=2), *(value[0] for value in values))
        assert_same_scores(network.truncated(2)(*values)[0], expected)

    @pytest.mark.parametrize("layers", [0, -1, 4])
    def test_rejects_other_numbers_of_layers(self, network: LightGlue, layers: int):
        with pytest.raises(InvalidInput, match=str(layers)):
            network.truncated(layers)


def test_tokens_are_computed_in_the_type_of_the_weights(network: LightGlue):
    assert network.dtype == torch.float64
    assert LightGlue(SHAPE).to(torch.bfloat16).dtype == torch.bfloat16


GLOBAL_SWITCHES = """
import torch
def switches():
    cuda, cudnn, mkldnn = torch.backends.cuda, torch.backends.cudnn, torch.backends.mkldnn
    return dict(
        grad=torch.is_grad_enabled(), dtype=torch.get_default_dtype(), device=torch.get_default_device(),
        threads=torch.get_num_threads(), precision=torch.get_float32_matmul_precision(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
        cudnn=(cudnn.enabled, cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32), mkldnn=mkldnn.enabled,
        sdp=(cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled(), cuda.math_sdp_enabled(), cuda.cudnn_sdp_enabled()),
        tf32=cuda.matmul.allow_tf32, seed=torch.initial_seed(), inference=torch.is_inference_mode_enabled(),
    )
before = switches()
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.lightglue.inference import AdaptiveInference, match_batch
import tiepoint.models.lightglue.checkpoint
network = LightGlue(LightGlueShape(input_dim=8, dim=8, layers=2, heads=1)).eval()
network(*2 * (torch.rand(1, 5, 2), torch.rand(1, 5, 8)))
match_batch(network, torch.rand(9, 2), torch.rand(9, 8), [(5, 4)], adaptivity=AdaptiveInference(), filter_threshold=0.1)
after = switches()
assert before == after, (before, after)
"""


@pytest.mark.slow
def test_import_construction_and_use_touch_no_global_switch():
    run = subprocess.run([sys.executable, "-c", GLOBAL_SWITCHES], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
