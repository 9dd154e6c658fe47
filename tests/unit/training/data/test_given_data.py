"""Pairs for features from files: warps, and a reconstruction; nothing else has ground truth."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from tests.helpers.given_features import TINY, write_hloc_features
from tests.helpers.noise_images import write_images
from tests.helpers.synthetic_reconstruction import random_model, write_dots

from tiepoint.errors import InvalidInput
from tiepoint.feature_store import Store
from tiepoint.geometry.colmap import quiet_pycolmap
from tiepoint.io.progress import no_progress
from tiepoint.training.config import TrainConfig
from tiepoint.training.data.colmap_images import CachedReconstruction
from tiepoint.training.data.dataset import DataPaths, TrainingData
from tiepoint.training.data.feature_files import extractor_from_files
from tiepoint.training.data.given_data import (
    check_given_data,
    check_warp_sizes,
    choose_held_out_contents,
    first_warps,
    prepare_given_data,
)
from tiepoint.training.data.homographic_warps import (
    KIND,
    CachedWarps,
    Warp,
    WarpConfig,
    warps_to_record,
)
from tiepoint.training.data.warp_files import write_warps
from tiepoint.training.data.warp_list import read_warps
from tiepoint.training.distributed import DistributedContext
from tiepoint.training.validation import HeldOutPair, LabeledPair, nearest_matcher, validate
from tiepoint.types import Features

CPU = torch.device("cpu")
SINGLE = DistributedContext(0, 1, CPU)
CONFIG = TINY.replace(data={"warps": {"resize": 640, "max_keypoints": 200}})


def prepare(paths: DataPaths, features: Path) -> TrainingData:
    extractor = extractor_from_files(features, paths.images, CPU, kind="mine")
    return prepare_given_data(paths, CONFIG, extractor, SINGLE, no_progress)


@pytest.fixture(scope="module")
def warps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given-data")
    write_images(folder / "photos", 11)
    write_warps(folder / "photos", folder / "warps", WarpConfig(per_image=2, resize=64))
    write_hloc_features(folder / "warps", folder / "features.h5")
    return folder / "warps"


def test_warps_are_split_by_image(warps: Path, tmp_path: Path) -> None:
    data = prepare(DataPaths(images=warps, cache=tmp_path), warps.parent / "features.h5")
    assert (data.protocol.name, data.dataset.kind, len(data.held_out)) == ("given-warps", "mine", 4)
    held_out = {pair.features[0].source for pair in data.held_out}
    training = {data.dataset[index].features0.source for index in range(7)}
    assert len(training) == 7
    assert not training & held_out
    sample = data.dataset[0]
    assert int((sample.matches0 >= 0).sum()) > 0
    assert all(isinstance(pair, HeldOutPair) for pair in data.held_out)


def test_too_few_images_with_features_are_refused(warps: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.h5"
    with h5py.File(warps.parent / "features.h5") as source, h5py.File(few, "w") as target:
        for file in read_warps(warps).images[0].warps:
            source.copy(file.path.name, target)
    with pytest.raises(InvalidInput, match=r"at least 10 .*got 1 usable.*no features of"):
        prepare(DataPaths(images=warps, cache=tmp_path), few)


def test_first_warps_without_a_match_validate_nothing(tmp_path: Path) -> None:
    features = Features.from_arrays(
        torch.tensor([[10.0, 10.0]], device="cpu"), torch.ones(1, 1, device="cpu"), (64, 48), kind="mine"
    )
    shifted = np.eye(3)
    shifted[0, 2] = 40
    warp, other = Warp(features, np.eye(3)), Warp(features, shifted)
    store = Store(tmp_path, {})
    store.write(KIND, {"a": warps_to_record([warp, warp, other], "a.jpg")})
    store.write(KIND, {"b": warps_to_record([warp, other, warp], "b.jpg")})
    pairs, problems = first_warps(CachedWarps(store=store, keys=("a", "b"), problems=()))
    assert len(pairs) == 1
    assert len(problems) == 1
    assert "b.jpg" in problems[0]


def test_images_without_pairs_are_not_held_out(tmp_path: Path) -> None:
    keys = [f"{number}.jpg@{number}" for number in range(60)]
    reconstruction = CachedReconstruction(
        store=Store(tmp_path, {}),
        pairs=tuple(pairwise(keys[:10])),
        covisible={key: frozenset(keys) for key in keys},
        problems=(),
    )
    held_out = choose_held_out_contents(reconstruction)
    assert len(held_out) == 4
    assert held_out <= {str(number) for number in range(10)}


def write_dot_features(model: Any, path: Path) -> None:
    """Write each observation as a keypoint with the descriptor of its 3D point, as hloc does."""
    random = np.random.default_rng(0)
    descriptors = {point: random.normal(size=16) for point in model.points3D}
    with h5py.File(path, "w") as file:
        for image in model.images.values():
            observed = image.get_observation_points2D()
            group = file.create_group(image.name)
            vectors = np.array([descriptors[point.point3D_id] for point in observed], np.float32)
            group["keypoints"] = np.array([point.xy for point in observed], np.float32) - 0.5
            group["descriptors"] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
            group["image_size"] = np.array([640, 480])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `model` and `photos`, and `features.h5`; the first image is stored sideways."""
    folder = tmp_path_factory.mktemp("given-scene")
    model = random_model(frames=11)
    for name in ("model", "photos"):
        (folder / name).mkdir()
    with quiet_pycolmap():
        model.write(folder / "model")
    for number, image in model.images.items():
        write_dots(folder / "photos" / image.name, image, set(), 6 if number == 1 else 1)
    write_dot_features(model, folder / "features.h5")
    return folder


@pytest.mark.slow
def test_pairs_of_a_reconstruction(scene: Path, tmp_path: Path) -> None:
    """Nearest neighbors of exact descriptors are the ground truth, also of the image that is stored sideways."""
    paths = DataPaths(images=scene / "photos", cache=tmp_path, colmap=scene / "model")
    data = prepare(paths, scene / "features.h5")
    assert (data.protocol.name, data.problems) == ("reconstruction", ())
    assert all(isinstance(pair, LabeledPair) for pair in data.held_out)
    held_out = {frozenset(features.source for features in pair.features) for pair in data.held_out}
    samples = [data.dataset[index] for index in range(20)]
    training = {features.source for pair in samples for features in (pair.features0, pair.features1)}
    assert not any(pair <= training for pair in held_out)
    metrics = validate(nearest_matcher(), data.held_out, data.protocol)
    assert (metrics.precision, metrics.recall) == (1.0, 1.0)
    assert np.isnan(metrics.auc)


def test_images_alone_have_no_ground_truth(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"tiepoint warps"):
        check_given_data(DataPaths(images=tmp_path, cache=tmp_path), CONFIG)


def test_validation_images_are_held_out(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="val"):
        check_given_data(DataPaths(images=tmp_path, cache=tmp_path, val=tmp_path), CONFIG)


@pytest.mark.parametrize(("name", "written"), [("resize", 64), ("per_image", 2)])
def test_settings_of_written_warps_are_not_changed(
    warps: Path, tmp_path: Path, name: str, written: int
) -> None:
    paths = DataPaths(images=warps, cache=tmp_path)
    check_given_data(paths, TrainConfig())
    check_given_data(paths, TrainConfig().replace(data={"warps": {name: written}}))
    with pytest.raises(InvalidInput, match=rf"{name}=100 .*{name}={written}"):
        check_given_data(paths, TrainConfig().replace(data={"warps": {name: 100}}))


def test_requested_sizes_are_those_of_the_warps(warps: Path) -> None:
    check_warp_sizes(warps, {"resize": 64, "per_image": 2})
    check_warp_sizes(warps, {})
    with pytest.raises(InvalidInput, match=r"resize=512 has no effect .*resize=64; leave it out"):
        check_warp_sizes(warps, {"per_image": 2, "resize": 512})


def test_homographies_of_another_recipe_are_warned_about(
    warps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tiepoint.io.messages._warned", set())
    paths = DataPaths(images=warps, cache=tmp_path)
    check_given_data(paths, TrainConfig())
    assert not caplog.records
    check_given_data(paths, TrainConfig.from_recipe("finetune"))
    assert "tiepoint warps --recipe finetune" in caplog.text
