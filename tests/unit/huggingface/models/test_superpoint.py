"""SuperPointForKeypointDetection against transformers, with the same random weights."""

import pytest
import torch
from tests.helpers.random_networks import TINY_SUPERPOINT, draw_superpoint, noise_pair

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import SuperPointConfig, SuperPointForKeypointDetection

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.usefixtures("inference_mode")


def both(**settings):
    """Return tiepoint's and transformers' model with the same weights."""
    torch.manual_seed(0)
    config = SuperPointConfig(**TINY_SUPERPOINT | {"strict_border": False, "max_keypoints": 60} | settings)
    ours = SuperPointForKeypointDetection(config)
    draw_superpoint(ours.detector, torch.rand(1, 96, 128))
    theirs = transformers.SuperPointForKeypointDetection(
        transformers.SuperPointConfig.from_dict(config.to_dict())
    )
    theirs.load_state_dict(ours.hub_state_dict())
    return ours, theirs.eval()


def images():
    return torch.stack([image.expand(3, -1, -1) for image in noise_pair(96, 128, 0)])


def test_outputs_are_those_of_transformers():
    ours, theirs = both()
    actual, expected = ours(images(), output_hidden_states=True), theirs(images(), output_hidden_states=True)
    assert list(actual) == list(expected)
    for name in ("keypoints", "scores", "descriptors"):
        torch.testing.assert_close(actual[name], expected[name], atol=1e-5, rtol=0)
    assert torch.equal(actual.mask, expected.mask)
    assert actual.mask.dtype == expected.mask.dtype
    for mine, their in zip(actual.hidden_states, expected.hidden_states, strict=True):
        torch.testing.assert_close(mine, their, atol=1e-5, rtol=0)
    assert actual.image_sizes.tolist() == [[96, 128]] * 2


@pytest.mark.parametrize("widths", [(8, 16), (8, 16, 32), (8, 8, 16, 16, 32)])
def test_other_numbers_of_levels(widths):
    """In transformers the keypoints of fewer or more than 4 levels are outside the image, or in a part of it."""
    ours, theirs = both(encoder_hidden_sizes=widths)
    actual, expected = ours(images()), theirs(images())
    factor = 2 ** (len(widths) - 1) / 8
    size = torch.tensor([128, 96])
    theirs_px = (expected.keypoints * size + 0.5) * factor - 0.5
    torch.testing.assert_close(actual.scores, expected.scores, atol=1e-5, rtol=0)
    torch.testing.assert_close(actual.descriptors, expected.descriptors, atol=1e-5, rtol=0)
    torch.testing.assert_close(actual.keypoints * size, theirs_px, atol=1e-4, rtol=0)
    assert float(actual.keypoints.max()) < 1


def test_padding_is_not_part_of_the_image():
    ours, _ = both()
    padded = torch.nn.functional.pad(images(), (0, 40, 0, 24), value=0.3)
    output, alone = ours(padded, image_sizes=[(96, 128)] * 2), ours(images())
    for name in alone:
        assert torch.equal(output[name], alone[name]), name


def test_images_with_different_numbers_of_keypoints_are_padded():
    ours, _ = both()
    batch = images()
    batch[1] = 0.5
    output = ours(batch)
    assert output.mask.sum(dim=1).tolist() == [60, 0]
    assert not output.descriptors[1].any()


def test_tuple_and_gray_images():
    ours, _ = both()
    parts = ours(images()[:, :1], return_dict=False)
    assert isinstance(parts, tuple)
    assert torch.equal(parts[0], ours(images()).keypoints)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": torch.zeros(1)}, "does not support training"),
        ({"image_sizes": [(97, 128)] * 2}, r"\(97, 128\) is not"),
        ({"image_sizes": [(96, 128)]}, "per image"),
    ],
)
def test_bad_input(options, message):
    ours, _ = both()
    with pytest.raises(InvalidInput, match=message):
        ours(**{"pixel_values": images()} | options)


def test_files_are_those_of_transformers(tmp_path):
    ours, theirs = both()
    theirs.save_pretrained(tmp_path / "theirs")
    loaded = SuperPointForKeypointDetection.from_pretrained(tmp_path / "theirs")
    assert loaded.hub_state_dict().keys() == dict(theirs.state_dict()).keys()
    ours.save_pretrained(tmp_path / "ours")
    again = transformers.SuperPointForKeypointDetection.from_pretrained(tmp_path / "ours")
    assert torch.equal(again(images()).scores, theirs(images()).scores)
