"""The one resizer: sizes, coordinates without a shift, and pixels as other libraries' antialiased resize has them."""

import numpy as np
import PIL.Image
import pytest
import torch
import torch.nn.functional as F

import tiepoint.image.resize
from tiepoint.errors import InvalidInput
from tiepoint.image import Image, ImageTransform, read_image


def noise(width: int, height: int) -> Image:
    blocks = torch.randint(
        0, 256, (3, height, width), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    return Image(pixels=blocks)


@pytest.mark.parametrize(
    ("image_size", "resize", "expected"),
    [
        ((4000, 3000), 1024, (1024, 768)),
        ((3000, 4000), 1024, (768, 1024)),
        ((640, 480), 1024, (1024, 768)),
        ((1024, 682), 1024, (1024, 682)),
        ((1000, 667), 500, (500, 334)),  # 333.5 goes up
        ((5000, 1), 10, (10, 1)),
        ((1, 1), 1024, (1024, 1024)),
        ((640, 480), None, (640, 480)),
    ],
)
def test_fit_sets_the_longer_side(
    image_size: tuple[int, int], resize: int | None, expected: tuple[int, int]
) -> None:
    transform = ImageTransform.fit(image_size, resize)
    assert (transform.original_size, transform.resized_size) == (image_size, expected)
    assert transform.scale == (expected[0] / image_size[0], expected[1] / image_size[1])


@pytest.mark.parametrize(
    ("image_size", "resize", "upscale", "multiple", "expected"),
    [
        ((640, 480), 1024, False, 1, (640, 480)),
        ((1024, 768), 1024, False, 1, (1024, 768)),
        ((4000, 3000), 1024, False, 1, (1024, 768)),
        ((640, 480), None, False, 1, (640, 480)),
        ((640, 480), 1024, False, 32, (640, 480)),
        ((1024, 682), 1024, True, 32, (1024, 672)),
        ((640, 427), 1024, True, 32, (1024, 672)),
        ((641, 427), 1024, False, 32, (640, 416)),
        ((500, 375), None, True, 32, (480, 352)),
        ((31, 40), 1024, False, 32, (32, 32)),
        ((4000, 20), 1024, False, 32, (1024, 32)),
        ((1, 1), None, True, 32, (32, 32)),
    ],
)
def test_fit_keeps_small_images_and_reduces_sides_to_multiples(
    image_size: tuple[int, int], resize: int | None, upscale: bool, multiple: int, expected: tuple[int, int]
) -> None:
    transform = ImageTransform.fit(image_size, resize, upscale=upscale, multiple=multiple)
    assert (transform.original_size, transform.resized_size) == (image_size, expected)


@pytest.mark.parametrize("resize", [0, -5, 32_769])
def test_fit_rejects_an_invalid_resize(resize: int) -> None:
    with pytest.raises(InvalidInput, match=f"1 to 32,768 px.* or None, got {resize}"):
        ImageTransform.fit((640, 480), resize)


@pytest.mark.parametrize("image_size", [(0, 480), (640, -1)])
def test_sizes_are_positive(image_size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="positive integers"):
        ImageTransform.fit(image_size, 100)
    with pytest.raises(InvalidInput, match="positive integers"):
        ImageTransform((10, 10), image_size)


def test_apply_requires_the_original_size() -> None:
    with pytest.raises(InvalidInput, match=r"\(640, 480\) px .* got \(8, 6\)"):
        ImageTransform.fit((640, 480), 100).apply(noise(8, 6))


def test_without_resize_only_the_type_changes() -> None:
    image = noise(8, 6)
    unchanged = ImageTransform.fit(image.image_size, None).apply(image)
    torch.testing.assert_close(unchanged, image.pixels / 255)
    deep = Image(pixels=unchanged)
    copy = ImageTransform.fit(image.image_size, None).apply(deep)
    assert torch.equal(copy, unchanged)
    assert copy.data_ptr() != unchanged.data_ptr()


@pytest.mark.parametrize("image_size", [(97, 61), (400, 301), (30, 200)])
@pytest.mark.parametrize("resize", [16, 50, 64, 250])
def test_chunks_are_identical_to_one_call(
    image_size: tuple[int, int], resize: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiepoint.image.resize, "PIXELS_PER_CHUNK", 10 * image_size[0] + 3)
    image = noise(*image_size)
    transform = ImageTransform.fit(image_size, resize)
    width, height = transform.resized_size
    whole = F.interpolate(image.pixels[None] / 255, (height, width), mode="bilinear", antialias=True)[0]
    torch.testing.assert_close(transform.apply(image), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("resize", [40, 150, 333])
def test_the_same_as_pillows_antialiased_resize(resize: int) -> None:
    image = noise(200, 131)
    transform = ImageTransform.fit(image.image_size, resize)
    pillow = image.to_pil().resize(transform.resized_size, PIL.Image.Resampling.BILINEAR)
    ours = transform.apply(image).permute(1, 2, 0).numpy() * 255
    assert np.abs(ours - np.asarray(pillow, np.float32)).max() < 1.1  # Pillow rounds to 8 bits, twice


def test_close_to_kornias_resize_on_a_photograph(shared_data) -> None:
    """The official extraction uses kornia's Gaussian blur before bilinear sampling; ours is a triangle filter."""
    image = read_image(shared_data / "lightglue_assets" / "DSC_0410.JPG")
    transform = ImageTransform.fit(image.image_size, 512)
    width, height = transform.resized_size
    kornia = pytest.importorskip("kornia")
    theirs = kornia.geometry.transform.resize(image.pixels[None] / 255, (height, width), antialias=True)[0]
    ours = transform.apply(image)
    assert (ours - theirs).abs().mean() < 0.03
    shifted = F.pad(ours, (1, 0))[..., :-1]
    assert (ours - theirs).abs().mean() < 0.5 * (shifted - theirs).abs().mean()


@pytest.mark.parametrize(("image_size", "resize"), [((301, 200), 100), ((301, 200), 77), ((60, 41), 250)])
def test_a_ramp_stays_the_ramp(image_size: tuple[int, int], resize: int) -> None:
    """Brightness that grows with x and y says where a resized pixel came from: no shift, on both axes."""
    width, height = image_size
    x, y = torch.meshgrid(torch.arange(width) / 1000, torch.arange(height) / 1000, indexing="xy")
    transform = ImageTransform.fit(image_size, resize)
    resized = transform.apply(Image(pixels=torch.stack([x, y, x])))
    new_width, new_height = transform.resized_size
    grid = torch.meshgrid(torch.arange(float(new_width)), torch.arange(float(new_height)), indexing="xy")
    origin = (
        transform.to_original(torch.stack(grid, dim=-1).reshape(-1, 2)).reshape(new_height, new_width, 2)
        / 1000
    )
    margin = 3 if resize < width else 10
    inner = (slice(margin, -margin), slice(margin, -margin))
    torch.testing.assert_close(
        resized[:2].permute(1, 2, 0)[inner], origin[inner], rtol=0, atol=3e-5
    )  # 0.03 px


@pytest.mark.parametrize("resize", [150, 233, 1000])
def test_a_blob_lands_where_its_center_maps(resize: int) -> None:
    center = torch.tensor([[203.3, 121.6]], dtype=torch.float64)
    x, y = torch.meshgrid(torch.arange(400), torch.arange(250), indexing="xy")
    blob = torch.exp(-((x - center[0, 0]) ** 2 + (y - center[0, 1]) ** 2) / (2 * 9.0**2)).float()
    transform = ImageTransform.fit((400, 250), resize)
    seen = transform.apply(Image(pixels=blob.expand(3, -1, -1)))[0].double()
    columns, rows = torch.arange(seen.shape[1]), torch.arange(seen.shape[0])
    centroid = torch.stack([(seen.sum(0) * columns).sum(), (seen.sum(1) * rows).sum()]) / seen.sum()
    torch.testing.assert_close(centroid[None], transform.to_resized(center), rtol=0, atol=0.02)


def test_the_result_is_not_rounded_to_8_bits() -> None:
    resized = ImageTransform.fit((200, 131), 50).apply(noise(200, 131)) * 255
    assert (resized - resized.round()).abs().mean() > 0.2


def test_gray_is_resized_once_and_equal_in_all_channels() -> None:
    gray = noise(50, 40).pixels[0].numpy()
    transform = ImageTransform.fit((50, 40), 20)
    shared = transform.apply(read_image(gray))
    copied = transform.apply(read_image(np.dstack([gray] * 3)))
    torch.testing.assert_close(shared, copied)
    assert shared.is_contiguous()


def test_values_stay_in_range() -> None:
    white = Image(pixels=torch.full((3, 97, 89), 255, dtype=torch.uint8))
    for resize in (13, 150):
        resized = ImageTransform.fit(white.image_size, resize).apply(white)
        assert resized.max() <= 1
        assert resized.min() > 0.99999
