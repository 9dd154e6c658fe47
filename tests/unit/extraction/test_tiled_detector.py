"""Tiles give what the whole image gives; shown with a network that looks at single pixels."""

import pytest
import torch
from tests.helpers.fake_networks import IdentityDetector, NoisyDetector
from torch import Tensor

from tiepoint.extraction.tile_grid import GridTile, split_into_tiles
from tiepoint.extraction.tiled_detector import TiledDetector
from tiepoint.image import Image
from tiepoint.models.keypoints import Detection

SIZE = (150, 110)


def noise(seed: int = 0, size: tuple[int, int] = SIZE) -> Image:
    width, height = size
    pixels = torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed))
    return Image(pixels=pixels.to(torch.uint8))


def tiles(size: tuple[int, int] = SIZE, side: int = 72) -> list[GridTile]:
    return split_into_tiles(size, side, stride=8, origin=(-3, -5), overlap=16)


def detect(
    network: IdentityDetector, image: Image, mask: Tensor | None = None, max_keypoints: int | None = None
) -> Detection:
    detector = TiledDetector(
        network, device=torch.device("cpu"), max_keypoints=max_keypoints, detection_threshold=0.0
    )
    return detector.detect(image, tiles(image.image_size), mask)


def whole(image: Image, mask: Tensor | None = None, max_keypoints: int | None = None) -> Detection:
    masks = None if mask is None else mask[None]
    return IdentityDetector()(
        image.pixels[None] / 255, max_keypoints=max_keypoints, detection_threshold=0, masks=masks
    )[0]


def assert_same(found: Detection, expected: Detection) -> None:
    assert torch.equal(found.keypoints, expected.keypoints)
    torch.testing.assert_close(found.scores, expected.scores)
    torch.testing.assert_close(found.descriptors, expected.descriptors)


@pytest.mark.parametrize("max_keypoints", [None, 1, 50, 100_000])
def test_tiles_are_identical_to_the_whole_image(max_keypoints: int | None) -> None:
    """8-bit noise has many ties; those go to the lower index of the whole image."""
    expected = whole(noise(), max_keypoints=max_keypoints)
    assert len(expected.keypoints) > 0
    assert_same(detect(IdentityDetector(), noise(), max_keypoints=max_keypoints), expected)


def test_top_k_is_over_the_whole_image() -> None:
    pixels = noise().pixels.clone()
    pixels[:, :, 40:] //= 2
    found = detect(IdentityDetector(), Image(pixels=pixels), max_keypoints=60)
    assert bool((found.keypoints[:, 0] < 40).all())
    assert_same(found, whole(Image(pixels=pixels), max_keypoints=60))


def test_max_keypoints_of_zero() -> None:
    found = detect(IdentityDetector(), noise(), max_keypoints=0)
    assert (found.keypoints.shape, found.scores.shape, found.descriptors.shape) == ((0, 2), (0,), (0, 2))


@pytest.mark.parametrize("seed", range(3))
def test_seams_have_no_duplicate_keypoints(seed: int) -> None:
    found = detect(NoisyDetector(), noise(seed))
    distances = (found.keypoints[:, None] - found.keypoints).abs().amax(dim=2)
    assert int((distances <= NoisyDetector.nms_radius).sum()) == len(found.keypoints)
    assert len(found.keypoints) > 0.9 * len(whole(noise(seed)).keypoints)


@pytest.mark.parametrize("seed", range(3))
def test_of_two_keypoints_across_a_seam_the_lower_score_is_removed(seed: int) -> None:
    """What single tiles find alone is kept, but where a stronger one of another tile lies too close."""
    alone = [
        TiledDetector(
            NoisyDetector(), device=torch.device("cpu"), max_keypoints=None, detection_threshold=0.0
        ).detect(noise(seed), [tile])
        for tile in tiles()
    ]
    places, scores = torch.cat([one.keypoints for one in alone]), torch.cat([one.scores for one in alone])
    close = (places[:, None] - places).abs().amax(dim=2) <= NoisyDetector.nms_radius
    outdone = (close & (scores > scores[:, None])).any(dim=1)
    found = {tuple(place) for place in detect(NoisyDetector(), noise(seed)).keypoints.tolist()}
    assert int(outdone.sum()) > 0
    assert found == {tuple(place) for place in places[~outdone].tolist()}


def test_keypoints_are_in_descending_order_of_score() -> None:
    scores = detect(NoisyDetector(), noise()).scores
    assert bool((scores[:-1] >= scores[1:]).all())


def test_masks_apply_and_fully_masked_tiles_are_skipped() -> None:
    mask = torch.zeros(SIZE[1], SIZE[0], dtype=torch.bool)
    mask[30:100, 3:20] = True
    network = IdentityDetector()
    assert_same(detect(network, noise(), mask), whole(noise(), mask))
    with_allowed = [tile for tile in tiles() if bool(mask[tile.core.slices].any())]
    assert 0 < len(with_allowed) == len(network.seen) < len(tiles())


def test_a_mask_that_forbids_everything() -> None:
    found = detect(IdentityDetector(), noise(), torch.zeros(SIZE[1], SIZE[0], dtype=torch.bool))
    assert found.keypoints.shape == (0, 2)


def test_blank_images_are_skipped() -> None:
    network = IdentityDetector()
    image = Image(pixels=torch.full((3, 110, 150), 77, dtype=torch.uint8))
    assert detect(network, image).keypoints.shape == (0, 2)
    assert network.seen == []


def test_blank_parts_of_an_image_are_processed() -> None:
    pixels = noise().pixels.clone()
    pixels[:, 50:] = 77
    assert_same(detect(IdentityDetector(), Image(pixels=pixels)), whole(Image(pixels=pixels)))


def test_networks_get_the_position_of_their_tile() -> None:
    network = IdentityDetector()
    detect(network, noise())
    assert [window[:2] for window in network.seen if window] == [tile.crop[:2] for tile in tiles()]
    assert {window.image_size for window in network.seen if window} == {SIZE}
    assert [window.core for window in network.seen if window] == [tile.core for tile in tiles()]


def test_pixels_of_16_bit_images_keep_their_precision() -> None:
    image = Image(pixels=torch.rand(3, 110, 150, generator=torch.Generator().manual_seed(0)))
    expected = IdentityDetector()(image.pixels[None], max_keypoints=70, detection_threshold=0)[0]
    assert_same(detect(IdentityDetector(), image, max_keypoints=70), expected)
