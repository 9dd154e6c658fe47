"""VGG and decoder: names and shapes of the published checkpoints."""

import torch
from tests.helpers.tiny_detectors import SIZES, noise

from tiepoint.models.dedode.network import VGG, VGG11, VGG19, Decoder, Sizes


def test_names_and_shapes():
    with torch.device("meta"):
        state = VGG(VGG19).state_dict() | Decoder(Sizes(encoder=VGG19, blocks=5), 256).state_dict()
    assert state["layers.36.weight"].shape == (512, 512, 3, 3)
    assert max(int(name.split(".")[1]) for name in state if name.startswith("layers.3")) == 37
    assert state["layers.8.out_conv.weight"].shape == (512, 512, 1, 1)
    assert state["layers.1.block1.0.weight"].shape == (32, 96, 1, 1)
    assert state["layers.2.hidden_blocks.4.0.weight"].shape == (64, 1, 5, 5)
    assert state["layers.1.out_conv.bias"].shape == (257,)


def test_levels_of_the_encoder():
    with torch.device("meta"):
        maps = VGG(VGG11)(torch.zeros(2, 3, 40, 24, device="meta"))
    assert [tuple(level.shape) for level in maps] == [
        (2, 64, 40, 24),
        (2, 128, 20, 12),
        (2, 256, 10, 6),
        (2, 512, 5, 3),
    ]


@torch.inference_mode()
def test_the_decoder_leaves_out_the_last_convolution():
    decoder = Decoder(SIZES, channels=3).eval()
    maps = VGG(SIZES.encoder).eval()(noise(40, 24))
    coarse, hidden = decoder(maps[::-1], "bilinear")
    assert coarse.shape == (1, 3, 20, 12)
    assert hidden.shape == (1, 4, 40, 24)
    weight, bias = decoder.last_conv
    assert weight.shape == (3, 4)
    assert bias.shape == (3,)


def test_a_refiner_in_front_of_the_others():
    decoder = Decoder(SIZES, channels=3, coarsest=("14", 16, 6))
    assert list(decoder.layers) == ["14", "8", "4", "2", "1"]
    state = decoder.state_dict()
    assert state["layers.14.out_conv.weight"].shape == (8 + 3, 6, 1, 1)
    assert state["layers.8.block1.0.weight"].shape == (8, 8 + 8, 1, 1)
