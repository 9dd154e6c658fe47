"""Oriented patches: levels, rotation, border."""

import torch

from tiepoint.models.patches import build_pyramid, level_of, oriented_patches


def test_an_upright_patch_of_its_own_size_is_a_crop() -> None:
    image = torch.rand(1, 40, 50, generator=torch.Generator().manual_seed(0))
    center = torch.tensor([[20.5, 18.5]])
    patches = oriented_patches(image, center, torch.tensor([4.0]), torch.zeros(1), 8)
    assert torch.allclose(patches[0], image[:, 15:23, 17:25], atol=1e-5)


def test_orientation_is_clockwise_in_the_image() -> None:
    """Rotated by 90°, the patch's x axis is the image's -y axis, as in kornia."""
    image = torch.rand(1, 41, 41, generator=torch.Generator().manual_seed(0))
    center, radius = torch.tensor([[20.5, 20.5]]), torch.tensor([4.0])
    upright = oriented_patches(image, center, radius, torch.zeros(1), 8)
    turned = oriented_patches(image, center, radius, torch.full((1,), torch.pi / 2), 8)
    assert torch.allclose(turned, upright.rot90(-1, (2, 3)), atol=1e-5)


def test_levels() -> None:
    levels = build_pyramid(torch.rand(1, 100, 64), 16)
    assert [tuple(level.shape[1:]) for level in levels] == [(100, 64), (50, 32), (25, 16)]
    radii = torch.tensor([1.0, 16.0, 31.9, 32.1, 500.0])
    assert level_of(radii, 32, 3).tolist() == [0, 0, 0, 1, 2]


def test_small_images_have_one_level_and_repeat_their_border() -> None:
    assert len(build_pyramid(torch.rand(1, 5, 7), 32)) == 1
    patches = oriented_patches(
        torch.ones(1, 5, 7), torch.tensor([[3.0, 2.0]]), torch.tensor([90.0]), torch.zeros(1), 32
    )
    assert torch.equal(patches, torch.ones(1, 1, 32, 32))


def test_no_keypoints() -> None:
    nothing = torch.zeros(0)
    assert oriented_patches(torch.ones(1, 9, 9), torch.zeros(0, 2), nothing, nothing, 4).shape == (0, 1, 4, 4)
