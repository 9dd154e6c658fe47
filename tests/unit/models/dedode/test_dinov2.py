"""DINOv2: patches, positional encodings of other grids, names."""

import torch
from tests.helpers.tiny_detectors import DINOV2, noise

from tiepoint.models.dedode.dinov2 import DINOv2, DINOv2Sizes


@torch.inference_mode()
def test_one_feature_per_patch():
    torch.manual_seed(0)
    network = DINOv2(DINOV2).eval()
    assert network(noise(42, 42)).shape == (1, 16, 3, 3)
    assert network(noise(28, 70, 2)).shape == (2, 16, 2, 5)


@torch.inference_mode()
def test_the_positional_encoding_is_interpolated_between_its_patches():
    network = DINOv2(DINOV2)
    network.pos_embed.normal_()
    assert network._positions(3, 3) is network.pos_embed
    wide = network._positions(3, 6)
    assert wide.shape == (1, 19, 16)
    assert torch.equal(wide[:, 0], network.pos_embed[:, 0])


def test_names_and_shapes_of_the_published_checkpoint():
    with torch.device("meta"):
        state = DINOv2(DINOv2Sizes()).state_dict()
    assert state["pos_embed"].shape == (1, 1370, 1024)
    assert state["blocks.23.attn.qkv.weight"].shape == (3072, 1024)
    assert state["blocks.0.ls2.gamma"].shape == (1024,)
    assert state["patch_embed.proj.weight"].shape == (1024, 3, 14, 14)
    assert len(state) == 342 + 1
