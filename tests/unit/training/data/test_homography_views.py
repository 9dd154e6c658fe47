"""Views show what their homography says, are made once, and one bad photograph doesn't cost the others."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.fake_networks import IdentityDetector
from tests.helpers.noise_images import identity_extractor, write_images

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.geometry.multiview import warp_points
from tiepoint.image import Image
from tiepoint.training.data.homography_views import (
    KIND,
    CachedViews,
    View,
    ViewSettings,
    cache_views,
    make_view,
    views_from_record,
    views_to_record,
    warp_image,
)
from tiepoint.training.data.random_homography import WarpSettings, random_homography
from tiepoint.training.distributed import Processes
from tiepoint.types import Features

SMALL = ViewSettings(size=96, max_keypoints=40)


def same_views(views: list[View], others: list[View]) -> bool:
    return all(
        torch.equal(view.features.keypoints, other.features.keypoints)
        and np.array_equal(view.homography, other.homography)
        for view, other in zip(views, others, strict=True)
    )


def ramps(width: int, height: int) -> Image:
    """Red grows with x, green with y, so that a color says where in the photograph it is from."""
    x = torch.linspace(0, 1, width).expand(height, width)
    y = torch.linspace(0, 1, height)[:, None].expand(height, width)
    return Image(pixels=torch.stack((x, y, torch.zeros(height, width))))


@pytest.mark.parametrize(
    ("photograph_size", "view_size"),
    [((300, 200), (150, 100)), ((90, 120), (90, 120)), ((700, 500), (70, 50))],
)
def test_colors_are_those_of_the_place(photograph_size: tuple[int, int], view_size: tuple[int, int]):
    for seed in range(5):
        H = random_homography(
            np.random.default_rng(seed), photograph_size, view_size, WarpSettings(max_angle_deg=180.0)
        )
        view = warp_image(ramps(*photograph_size), H, view_size)
        y, x = np.mgrid[: view_size[1], : view_size[0]]
        places = warp_points(np.stack([x.ravel(), y.ravel()], 1).astype(np.float64), H)
        expected = places / (np.array(photograph_size) - 1)
        found = view[:2].flatten(1).T.numpy()
        inside = ((expected > 0.03) & (expected < 0.97)).all(1)
        np.testing.assert_allclose(found[inside], expected[inside], atol=2e-3)
        assert inside.mean() > 0.5


def test_a_coarse_view_is_the_mean_of_what_it_covers():
    """A chessboard of single px becomes gray, not a pattern."""
    board = torch.from_numpy(np.indices((512, 512)).sum(0) % 2).float()
    H = np.diag([8.0, 8.0, 1.0])
    H[:2, 2] = 3.5
    view = warp_image(Image(pixels=board.expand(3, -1, -1)), H, (64, 64))
    assert float((view - 0.5).abs().max()) < 0.05


def test_a_view_has_the_photographs_shape_and_is_never_larger():
    rng = np.random.default_rng(0)
    for size, expected in (((400, 300), (96, 72)), ((80, 64), (80, 64))):
        view, _ = make_view(ramps(*size), rng, SMALL)
        assert view.image_size == expected


def test_features_come_back_from_their_record():
    views = [
        View(
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
    back = views_from_record(views_to_record(views, "a.jpg"))
    assert same_views(views, back)
    for view, other in zip(views, back, strict=True):
        for name in ("scores", "descriptors", "scales", "orientations"):
            assert torch.equal(getattr(view.features, name), getattr(other.features, name))
        assert (other.features.source, other.features.image_size, other.features.kind) == (
            "a.jpg",
            (60, 55),
            "k",
        )


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_images(tmp_path_factory.mktemp("photos"), 12)


@pytest.fixture(scope="module")
def cached(photographs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> CachedViews:
    return cache_views(photographs, identity_extractor(), tmp_path_factory.mktemp("views") / "store", SMALL)


def test_every_photograph_has_its_views(cached: CachedViews):
    assert len(cached) == 12
    assert cached.problems == ()
    views = cached.read(0)
    assert len(views) == 3
    for view in views:
        assert view.features.image_size == (96, 72)
        assert 0 < len(view.features) <= 40
    assert not same_views(views[:1], views[1:2])


def test_killed_in_the_middle_it_goes_on(photographs: list[Path], cached: CachedViews, tmp_path: Path):
    class Killed(Exception):
        pass

    def kill(batches: list, text: str):
        yield batches[0]
        raise Killed

    with pytest.raises(Killed):
        cache_views(photographs, identity_extractor(), tmp_path / "s", SMALL, track=kill)
    network = identity_extractor()
    again = cache_views(photographs, network, tmp_path / "s", SMALL)
    assert len(network.network.seen) == (12 - 8) * 3
    assert again.keys == cached.keys
    assert all(same_views(again.read(k), cached.read(k)) for k in range(12))


def test_a_view_does_not_depend_on_the_other_photographs(
    photographs: list[Path], cached: CachedViews, tmp_path: Path
):
    some = cache_views(photographs[:1:-1], identity_extractor(), tmp_path / "s", SMALL)
    assert some.keys == cached.keys[:1:-1]
    assert same_views(some.read(0), cached.read(11))


def test_processes_share_the_work_and_none_does_it_twice(
    photographs: list[Path], cached: CachedViews, tmp_path: Path
):
    shares = [Processes(rank, 2, torch.device("cpu")).owns for rank in (0, 1)]
    extractors = [identity_extractor() for _ in shares]
    for owns, extractor in zip(shares, extractors, strict=True):
        cache_views(photographs, extractor, tmp_path / "s", SMALL, owns=owns)
    done = [len(extractor.network.seen) for extractor in extractors]
    assert min(done) > 0
    assert sum(done) == 12 * 3
    last = identity_extractor()
    together = cache_views(photographs, last, tmp_path / "s", SMALL)
    assert not last.network.seen
    assert all(same_views(together.read(k), cached.read(k)) for k in range(12))


def test_copies_count_once(photographs: list[Path], tmp_path: Path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(photographs[0].read_bytes())
    found = cache_views([*photographs[:10], copy], identity_extractor(), tmp_path / "s", SMALL)
    assert len(found) == 10
    assert found.problems == ()


def test_bad_photographs_are_named_and_the_others_used(photographs: list[Path], tmp_path: Path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    (tiny,) = write_images(tmp_path / "tiny", 1, (63, 300))
    found = cache_views(
        [broken, *photographs, tiny, tmp_path / "gone.jpg"], identity_extractor(), tmp_path / "s", SMALL
    )
    assert len(found) == 12
    assert len(found.problems) == 3
    for part in ("gone.jpg: No such file", "broken.jpg", "0.png has 63 x 300 px; views need at least 64 px"):
        assert any(part in problem for problem in found.problems)


def test_too_few_photographs_are_refused(photographs: list[Path], tmp_path: Path):
    with pytest.raises(InvalidInput, match="expected at least 10 different photographs, but only 9 of 9"):
        cache_views(photographs[:9], identity_extractor(), tmp_path / "a", SMALL)
    with pytest.raises(InvalidInput, match=r"only 0 of 1 can be used, the first because can't read .*gone"):
        cache_views([tmp_path / "gone.jpg"], identity_extractor(), tmp_path / "b", SMALL, at_least=1)


def test_other_settings_are_refused_with_the_difference(cached: CachedViews, photographs: list[Path]):
    other = dataclasses.replace(SMALL, warp=WarpSettings(difficulty=0.2))
    with pytest.raises(StoreError, match=r"difficulty 0.7, not 0.2"):
        cache_views(photographs, identity_extractor(), cached.store.folder, other)
    extractor = NeuralExtractor(IdentityDetector(), ExtractionSettings(kind="another"))
    with pytest.raises(StoreError, match=r"extractor 'echo', not 'another'"):
        cache_views(photographs, extractor, cached.store.folder, SMALL)


def test_a_full_disk_is_one_line_and_what_is_written_stays(
    photographs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cache_views(photographs[:10], identity_extractor(), tmp_path / "s", SMALL)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tiepoint.feature_store.hdf5_shard.write_array", full)
    with pytest.raises(InvalidInput, match="No space left on device"):
        cache_views(photographs, identity_extractor(), tmp_path / "s", SMALL)
    monkeypatch.undo()
    assert len(cache_views(photographs, identity_extractor(), tmp_path / "s", SMALL)) == 12


def test_descriptors_are_kept_in_half_precision(cached: CachedViews):
    assert cached.store.read(KIND, cached.keys[0])["descriptors"].dtype == np.float16


@pytest.mark.parametrize(("name", "value"), [("views", 1), ("size", 63), ("max_keypoints", 0), ("seed", -1)])
def test_impossible_settings_are_refused(name: str, value: int):
    with pytest.raises(InvalidInput, match=f"{name} must be at least"):
        ViewSettings(**{name: value})
