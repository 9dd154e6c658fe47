import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from tests.helpers.compat_lightglue import tiny_lightglue
from torch.nn.functional import normalize

from tiepoint.compat.hloc import match_features
from tiepoint.compat.hloc.files import opened, read_features, read_matches
from tiepoint.errors import InvalidInput

NEAREST = match_features.confs["NN-mutual"]


def hloc_nearest(
    vectors0, vectors1, ratio: float | None, distance: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """hloc's nearest neighbors with mutual check, from its definition."""

    def nearest(similarity: np.ndarray) -> np.ndarray:
        order = np.argsort(-similarity, axis=1)
        best, second = (
            np.take_along_axis(2 * (1 - similarity), order[:, k : k + 1], 1)[:, 0] for k in (0, 1)
        )
        accepted = np.ones(len(best), bool)
        if ratio:
            accepted &= best <= ratio**2 * second
        if distance:
            accepted &= best <= distance**2
        return np.where(accepted, order[:, 0], -1)

    similarity = vectors0 @ vectors1.T
    indices0, indices1 = nearest(similarity), nearest(similarity.T)
    rows = np.arange(len(indices0))
    is_match = (indices0 >= 0) & (indices1[indices0] == rows)
    matches = np.stack([rows[is_match], indices0[is_match]], axis=1)
    return matches, (similarity[matches[:, 0], matches[:, 1]] + 1) / 2


@pytest.mark.parametrize("name", ["NN-mutual", "NN-ratio", "NN-superpoint"])
def test_nearest_neighbors(files, tmp_path: Path, name: str) -> None:
    conf = match_features.confs[name]
    path = match_features.main(conf, files.pairs, files.features, matches=tmp_path / "m.h5")
    name0, name1 = next(files.collection.pairs())
    with opened(files.features) as features, opened(path) as file:
        vectors = [normalize(read_features(features, each).descriptors).numpy() for each in (name0, name1)]
        options = [conf["model"].get(key) for key in ("ratio_threshold", "distance_threshold")]
        expected, expected_scores = hloc_nearest(*vectors, *options)
        matches, scores = read_matches(file, name0, name1)
    assert len(matches) > 50
    np.testing.assert_array_equal(matches, expected)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-5)


def test_lightglue_of_a_file(files, tmp_path: Path) -> None:
    with opened(files.features) as file:
        dim = file["a.jpg/descriptors"].shape[0]
    torch.save(tiny_lightglue(input_dim=dim).state_dict(), tmp_path / "tiny.pth")
    model = {"name": "lightglue", "features": "aliked", "weights": tmp_path / "tiny.pth", "compile": True}
    conf = {"output": "matches-tiny", "model": model}
    shutil.copy(files.features, tmp_path / "feats.h5")
    names = list(files.collection.pairs())[:2]
    (tmp_path / "pairs.txt").write_text("".join(f"{name0} {name1}\n" for name0, name1 in names))
    path = match_features.main(conf, tmp_path / "pairs.txt", "feats", tmp_path)
    assert path.name == "feats_matches-tiny_pairs.h5"
    with h5py.File(path) as file:
        for name0, name1 in names:
            group = file["/".join(each.replace("/", "-") for each in (name0, name1))]
            assert group["matches0"].shape == group["matching_scores0"].shape


def test_matched_pairs_are_skipped(files, tmp_path: Path) -> None:
    names = list(files.collection.pairs())
    (tmp_path / "first.txt").write_text("{0} {1}\n{1} {0}\n".format(*names[0]))
    path = match_features.main(NEAREST, tmp_path / "first.txt", files.features, matches=tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        assert len(file) == 1
        group = next(iter(file[next(iter(file))].values()))
        group["matches0"][:] = -1
    match_features.main(NEAREST, files.pairs, files.features, matches=path)
    with opened(path) as file:
        assert len(read_matches(file, *names[0])[0]) == 0
        assert all(len(read_matches(file, *each)[0]) > 50 for each in names[1:])
    match_features.main(NEAREST, files.pairs, files.features, matches=path, overwrite=True)
    with opened(path) as file:
        assert len(read_matches(file, *names[0])[0]) > 50


def test_features_of_a_second_file(files, tmp_path: Path) -> None:
    name0, name1 = next(files.collection.pairs())
    with h5py.File(files.features) as source, h5py.File(tmp_path / "reference.h5", "w") as target:
        source.copy(name1, target, name="reference.jpg")
    (tmp_path / "pairs.txt").write_text(f"{name0} reference.jpg\n")
    path = match_features.main(
        NEAREST,
        tmp_path / "pairs.txt",
        files.features,
        matches=tmp_path / "m.h5",
        features_ref=tmp_path / "reference.h5",
    )
    with opened(path) as file:
        assert len(read_matches(file, name0, "reference.jpg")[0]) > 50


def test_invalid_arguments(files, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="matches"):
        match_features.main(NEAREST, files.pairs, files.features)
    with pytest.raises(InvalidInput, match="export_dir"):
        match_features.main(NEAREST, files.pairs, "feats")
    with pytest.raises(InvalidInput, match=r"feats\.h5"):
        match_features.main(NEAREST, files.pairs, "feats", tmp_path)
    one_sided = {"output": "x", "model": {"name": "nearest_neighbor", "do_mutual_check": False}}
    with pytest.raises(InvalidInput, match="do_mutual_check"):
        match_features.main(one_sided, files.pairs, files.features, matches=tmp_path / "m.h5")
    (tmp_path / "pairs.txt").write_text("a.jpg missing.jpg\n")
    with pytest.raises(InvalidInput, match=r"missing\.jpg"):
        match_features.main(NEAREST, tmp_path / "pairs.txt", files.features, matches=tmp_path / "m.h5")
