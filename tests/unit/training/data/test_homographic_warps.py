"""Warps agree with their homography, are created once, and bad images do not affect the others."""

import dataclasses
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.fake_networks import IdentityDetector
from tests.helpers.noise_images import identity_extractor, write_images

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.geometry.multiview import warp_points
from tiepoint.image import Image
from tiepoint.training.data.homographic_warps import (
    KIND,
    CachedWarps,
    Warp,
    WarpConfig,
    cache_warps,
    make_warp,
    warp_image,
    warps_from_record,
    warps_to_record,
)
from tiepoint.training.data.random_homography import HomographyConfig, random_homography
from tiepoint.training.distributed import DistributedContext
from tiepoint.types import Features

SMALL = WarpConfig(resize=96, max_keypoints=40)


def same_warps(warps: list[Warp], others: list[Warp]) -> bool:
    return all(
        torch.equal(warp.features.keypoints, other.features.keypoints)
        and np.array_equal(warp.homography, other.homography)
        for warp, other in zip(warps, others, strict=True)
    )


def ramps(width: int, height: int) -> Image:
    """Image whose red and green encode the x and y coordinates."""
    x = torch.linspace(0, 1, width).expand(height, width)
    y = torch.linspace(0, 1, height)[:, None].expand(height, width)
    return Image(pixels=torch.stack((x, y, torch.zeros(height, width))))


@pytest.mark.parametrize(
    ("image_size", "warp_size"),
    [((300, 200), (150, 100)), ((90, 120), (90, 120)), ((700, 500), (70, 50))],
)
def test_pixels_are_those_of_the_warped_coordinates(image_size: tuple[int, int], warp_size: tuple[int, int]):
    for seed in range(5):
        H = random_homography(
            np.random.default_rng(seed), image_size, warp_size, HomographyConfig(max_angle_deg=180.0)
        )
        warp = warp_image(ramps(*image_size), H, warp_size)
        y, x = np.mgrid[: warp_size[1], : warp_size[0]]
        points = warp_points(np.stack([x.ravel(), y.ravel()], 1).astype(np.float64), H)
        expected = points / (np.array(image_size) - 1)
        found = warp[:2].flatten(1).T.numpy()
        inside = ((expected > 0.03) & (expected < 0.97)).all(1)
        np.testing.assert_allclose(found[inside], expected[inside], atol=2e-3)
        assert inside.mean() > 0.5


def test_coarse_warp_is_antialiased():
    """A checkerboard of single px becomes gray."""
    board = torch.from_numpy(np.indices((512, 512)).sum(0) % 2).float()
    H = np.diag([8.0, 8.0, 1.0])
    H[:2, 2] = 3.5
    warp = warp_image(Image(pixels=board.expand(3, -1, -1)), H, (64, 64))
    assert float((warp - 0.5).abs().max()) < 0.05


def test_warp_has_the_aspect_ratio_of_the_image_and_is_not_larger():
    rng = np.random.default_rng(0)
    for size, expected in (((400, 300), (96, 72)), ((80, 64), (80, 64))):
        warp, _ = make_warp(ramps(*size), rng, SMALL)
        assert warp.image_size == expected


def test_record_round_trip():
    warps = [
        Warp(
            Features(
                keypoints=torch.rand(count, 2) * 50,
                scores=torch.rand(count),
                descriptors=torch.rand(count, 4).half().float(),
                image_size=(60, 55),
                scales=torch.rand(count),
                orientations=torch.rand(count),
                kind="k",
            ),
            np.random.default_rng(count).random((3, 3)),
        )
        for count in (3, 0, 5)
    ]
    back = warps_from_record(warps_to_record(warps, "a.jpg"))
    assert same_warps(warps, back)
    for warp, other in zip(warps, back, strict=True):
        for name in ("scores", "descriptors", "scales", "orientations"):
            assert torch.equal(getattr(warp.features, name), getattr(other.features, name))
        assert (other.features.source, other.features.image_size, other.features.kind) == (
            "a.jpg",
            (60, 55),
            "k",
        )


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_images(tmp_path_factory.mktemp("photos"), 12)


@pytest.fixture(scope="module")
def cached(images: list[Path], tmp_path_factory: pytest.TempPathFactory) -> CachedWarps:
    return cache_warps(images, identity_extractor(), tmp_path_factory.mktemp("warps") / "store", SMALL)


@pytest.mark.slow
def test_every_image_has_warps(cached: CachedWarps):
    assert len(cached) == 12
    assert cached.problems == ()
    warps = cached.read(0)
    assert len(warps) == 3
    for warp in warps:
        assert warp.features.image_size == (96, 72)
        assert 0 < len(warp.features) <= 40
    assert not same_warps(warps[:1], warps[1:2])


@pytest.mark.slow
def test_interrupted_extraction_is_resumed(images: list[Path], cached: CachedWarps, tmp_path: Path):
    class Killed(Exception):
        pass

    @contextmanager
    def kill(description: str, total: int | None):
        def advance(count: int) -> None:
            raise Killed

        yield advance

    with pytest.raises(Killed):
        cache_warps(images, identity_extractor(), tmp_path / "s", SMALL, progress=kill)
    network = identity_extractor()
    again = cache_warps(images, network, tmp_path / "s", SMALL)
    assert len(network.network.seen) == (12 - 8) * 3
    assert again.keys == cached.keys
    assert all(same_warps(again.read(k), cached.read(k)) for k in range(12))


def test_warp_does_not_depend_on_other_images(images: list[Path], cached: CachedWarps, tmp_path: Path):
    some = cache_warps(images[:1:-1], identity_extractor(), tmp_path / "s", SMALL)
    assert some.keys == cached.keys[:1:-1]
    assert same_warps(some.read(0), cached.read(11))


@pytest.mark.slow
def test_processes_divide_the_work(images: list[Path], cached: CachedWarps, tmp_path: Path):
    filters = [DistributedContext(rank, 2, torch.device("cpu")).owns for rank in (0, 1)]
    extractors = [identity_extractor() for _ in filters]
    for accepts, extractor in zip(filters, extractors, strict=True):
        cache_warps(images, extractor, tmp_path / "s", SMALL, accepts=accepts)
    done = [len(extractor.network.seen) for extractor in extractors]
    assert min(done) > 0
    assert sum(done) == 12 * 3
    last = identity_extractor()
    together = cache_warps(images, last, tmp_path / "s", SMALL)
    assert not last.network.seen
    assert all(same_warps(together.read(k), cached.read(k)) for k in range(12))


def test_duplicates_count_once(images: list[Path], tmp_path: Path):
    duplicate = tmp_path / "copy.png"
    duplicate.write_bytes(images[0].read_bytes())
    found = cache_warps([*images[:10], duplicate], identity_extractor(), tmp_path / "s", SMALL)
    assert len(found) == 10
    assert found.problems == ()


@pytest.mark.slow
def test_bad_images_are_reported_and_skipped(images: list[Path], tmp_path: Path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    (tiny,) = write_images(tmp_path / "tiny", 1, (63, 300))
    found = cache_warps(
        [broken, *images, tiny, tmp_path / "gone.jpg"], identity_extractor(), tmp_path / "s", SMALL
    )
    assert len(found) == 12
    assert len(found.problems) == 3
    for part in ("gone.jpg: No such file", "broken.jpg", "63 x 300 px"):
        assert any(part in problem for problem in found.problems)


def test_too_few_images_are_refused(images: list[Path], tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"at least 10 .*got 9 usable of 9"):
        cache_warps(images[:9], identity_extractor(), tmp_path / "a", SMALL)
    with pytest.raises(InvalidInput, match=r"got 0 usable of 1.*cannot read .*gone"):
        cache_warps([tmp_path / "gone.jpg"], identity_extractor(), tmp_path / "b", SMALL, min_images=1)


def test_other_settings_are_refused(cached: CachedWarps, images: list[Path]):
    other = dataclasses.replace(SMALL, homography=HomographyConfig(difficulty=0.2))
    with pytest.raises(StoreError, match=r"difficulty 0.7, not 0.2"):
        cache_warps(images, identity_extractor(), cached.store.folder, other)
    extractor = NeuralExtractor(IdentityDetector(), ExtractionSettings(kind="another"))
    with pytest.raises(StoreError, match=r"extractor 'echo', not 'another'"):
        cache_warps(images, extractor, cached.store.folder, SMALL)


@pytest.mark.slow
def test_full_disk_keeps_written_shards(images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cache_warps(images[:10], identity_extractor(), tmp_path / "s", SMALL)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tiepoint.feature_store.hdf5_shard.write_array", full)
    with pytest.raises(InvalidInput, match="No space left on device"):
        cache_warps(images, identity_extractor(), tmp_path / "s", SMALL)
    monkeypatch.undo()
    assert len(cache_warps(images, identity_extractor(), tmp_path / "s", SMALL)) == 12


def test_descriptors_are_stored_in_half_precision(cached: CachedWarps):
    assert cached.store.read(KIND, cached.keys[0])["descriptors"].dtype == np.float16


@pytest.mark.parametrize(
    ("name", "value"), [("per_image", 1), ("resize", 63), ("max_keypoints", 0), ("seed", -1)]
)
def test_invalid_settings_are_refused(name: str, value: int):
    with pytest.raises(InvalidInput, match=f"{name}.*{value}"):
        WarpConfig(**{name: value})


@pytest.mark.parametrize("kind", ["uniform", "without keypoints"])
def test_images_that_nothing_can_be_learned_from_are_problems(tmp_path: Path, kind: str):
    """cvg/glue-factory#113: the network would match nothing."""
    images = write_images(tmp_path / "photos", 3)
    threshold = 0.0
    if kind == "uniform":
        for number, path in enumerate(images):
            PIL.Image.new("RGB", (128, 96), (number, 9, 9)).save(path)
    else:
        threshold = 2.0  # no pixel is that bright
    extractor = NeuralExtractor(
        IdentityDetector(), ExtractionSettings(kind="echo", detection_threshold=threshold)
    )
    warps = cache_warps(images, extractor, tmp_path / "store", SMALL, min_images=0)
    assert len(warps) == 0
    assert [problem.startswith("no keypoints in") for problem in warps.problems] == [True] * 3
