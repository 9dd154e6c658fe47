"""Files of matches: the same names in .json and .npz, nothing lost but descriptors, atomic, readable without tiepoint."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.match_results import (
    MATCHES,
    RECTIFIED,
    SECONDS,
    SIZE0,
    an_estimate,
)

from tiepoint.errors import InvalidInput
from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.io.serialization import check_output_path
from tiepoint.result import MatchResult
from tiepoint.types import Camera, TwoViewEstimate

NAMES = {
    *(
        f"{name}{side}"
        for name in (
            "image",
            "image_size",
            "exif_orientation",
            "points",
            "keypoints",
            "keypoint_scores",
        )
        for side in (0, 1)
    ),
    *(
        "format",
        "features",
        "scores",
        "matches",
        "layers_run",
        "stopped_by",
        "keypoints_used",
        "prune0",
        "prune1",
        "rotation0",
        "rotation1",
        "scale",
        "tilt",
        "views_tried",
        "seconds",
    ),
}


class TestSave:
    def test_json_and_npz_have_the_same_names(self, result: MatchResult, tmp_path: Path) -> None:
        """Except seconds: .npz cannot hold a dict, so each value has a name of its own."""
        sourced = replace(
            result,
            features0=replace(result.features0, source="a"),
            features1=replace(result.features1, source="b"),
        )
        assert set(json.loads(sourced.save(tmp_path / "m.json").read_text())) == NAMES
        with np.load(sourced.save(tmp_path / "m.npz"), allow_pickle=False) as arrays:
            assert set(arrays) - NAMES == {f"seconds_{stage}" for stage in SECONDS}
            assert NAMES - set(arrays) == {"seconds"}
            assert {stage: float(arrays[f"seconds_{stage}"]) for stage in SECONDS} == SECONDS

    def test_npz_needs_no_pickle(self, result: MatchResult, tmp_path: Path) -> None:
        with np.load(result.save(tmp_path / "m.npz"), allow_pickle=False) as arrays:
            contents = {name: arrays[name] for name in arrays}
        assert [name for name, array in contents.items() if array.dtype == object] == []

    def test_npz_keeps_every_bit_and_type(self, result: MatchResult, tmp_path: Path) -> None:
        with np.load(result.save(tmp_path / "m.npz")) as arrays:
            for name in ("points0", "points1", "scores", "matches", "prune0", "prune1"):
                np.testing.assert_array_equal(arrays[name], getattr(result, name))
                assert arrays[name].dtype == getattr(result, name).dtype
            np.testing.assert_array_equal(arrays["keypoints1"], result.features1.keypoints)
            assert arrays["image_size0"].tolist() == list(SIZE0)
            assert arrays["layers_run"] == 7

    def test_json_keeps_float32_exactly(self, result: MatchResult, tmp_path: Path) -> None:
        values = json.loads(result.save(tmp_path / "m.json").read_text(encoding="utf-8"))
        for name in ("points0", "points1", "scores"):
            np.testing.assert_array_equal(np.array(values[name], np.float32), getattr(result, name))
        assert values["matches"] == MATCHES
        assert (values["image_size0"], values["image_size1"]) == ([40, 30], [50, 20])
        assert (values["exif_orientation0"], values["features"]) == (6, "test@0123")
        assert values["seconds"] == SECONDS
        assert values["image0"] is None

    def test_to_dict_equals_the_json_file(self, result: MatchResult, tmp_path: Path) -> None:
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
        assert json.loads(result.save(tmp_path / "m.json").read_text()) == result.to_dict()

    def test_names_may_be_unicode(self, result: MatchResult, tmp_path: Path) -> None:
        named = replace(result, features0=replace(result.features0, source="Föhr/写真.jpg"))
        assert (
            json.loads(named.save(tmp_path / "m.json").read_text(encoding="utf-8"))["image0"]
            == "Föhr/写真.jpg"
        )
        with np.load(named.save(tmp_path / "m.npz")) as arrays:
            assert str(arrays["image0"]) == "Föhr/写真.jpg"

    @pytest.mark.parametrize("name", ["m.json", "m.npz", "M.JSON", "M.NPZ"])
    def test_an_empty_result_is_saved_too(self, empty: MatchResult, tmp_path: Path, name: str) -> None:
        path = empty.save(str(tmp_path / name))
        assert path == tmp_path / name
        if path.suffix.lower() == ".json":
            assert json.loads(path.read_text())["points0"] == []
        else:
            with np.load(path) as arrays:
                assert arrays["points0"].shape == (0, 2)

    def test_numpy_alone_reads_the_file(self, result: MatchResult, tmp_path: Path) -> None:
        path = result.save(tmp_path / "m.npz")
        program = (
            f"import numpy, sys; values = dict(numpy.load({str(path)!r}))\n"
            "assert values['points0'].shape == (3, 2); assert not {'torch', 'tiepoint'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", program], check=True)

    @pytest.mark.parametrize("name", ["m.txt", "m", "m.npz.gz", ".json"])
    def test_an_unsupported_suffix_is_an_error_and_nothing_is_written(
        self, result: MatchResult, tmp_path: Path, name: str
    ) -> None:
        for attempt in (result.save, check_output_path):
            with pytest.raises(InvalidInput, match=r"\.npz or \.json") as error:
                attempt(tmp_path / name)
            assert "\n" not in str(error.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["m.json", "m.npz"])
    def test_a_failure_leaves_the_old_file(
        self, result: MatchResult, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / name).write_text("old")
        full = OSError(28, "No space left on device")

        def fail(*arguments: object, **options: object) -> None:
            raise full

        monkeypatch.setattr(Path, "write_text", fail)
        monkeypatch.setattr(np, "savez_compressed", fail)
        with pytest.raises(InvalidInput, match="No space left on device"):
            result.save(tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        assert (tmp_path / name).read_text() == "old"

    def test_a_missing_output_folder_is_an_error(self, result: MatchResult, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="does not exist"):
            result.save(tmp_path / "missing" / "m.npz")

    def test_an_estimate_is_saved_with_the_matches(self, result: MatchResult, tmp_path: Path) -> None:
        camera = Camera(model="SIMPLE_PINHOLE", image_size=SIZE0, params=(50.0, 20.0, 15.0), source="exif")
        motion = np.column_stack([np.eye(3), [1.0, 0, 0]])
        pose = an_estimate(
            [True, False, True], "pose", RECTIFIED, cam1_from_cam0=motion, camera0=camera, camera1=camera
        )
        values = json.loads(result.save(tmp_path / "m.json", pose).read_text())
        assert values == result.to_dict(pose)
        assert {name: values[name] for name in NAMES} == result.to_dict()
        assert values["estimate"] == {
            "kind": "pose",
            "matrix": RECTIFIED.tolist(),
            "inliers": [True, False, True],
            "method": "poselib",
            "max_error_px": 2.5,
            "cam1_from_cam0": [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]],
            "camera0": {
                "model": "SIMPLE_PINHOLE",
                "image_size": [40, 30],
                "params": [50, 20, 15],
                "source": "exif",
            },
            "camera1": values["estimate"]["camera0"],
            "reason": "",
            "success": True,
            "num_inliers": 2,
        }
        with np.load(result.save(tmp_path / "m.npz", pose), allow_pickle=False) as arrays:
            assert arrays["estimate_inliers"].tolist() == [True, False, True]
            assert arrays["estimate_camera0_params"].tolist() == [50, 20, 15]
            assert [name for name, array in arrays.items() if array.dtype == object] == []

    def test_a_failed_estimate_is_saved_too(self, result: MatchResult, tmp_path: Path) -> None:
        failed = an_estimate([False] * 3, matrix=None)
        saved = json.loads(result.save(tmp_path / "m.json", failed).read_text())["estimate"]
        assert (saved["matrix"], saved["success"], saved["reason"]) == (None, False, "got 3 matches")
        with np.load(result.save(tmp_path / "m.npz", failed)) as arrays:
            assert "estimate_matrix" not in arrays
            assert not arrays["estimate_success"]


POSE = an_estimate(
    [True, False, True],
    "pose",
    RECTIFIED,
    cam1_from_cam0=np.column_stack([np.eye(3), [1.0, 0, 0]]),
    camera0=Camera(model="SIMPLE_PINHOLE", image_size=SIZE0, params=(50.0, 20.0, 15.0), source="exif"),
    camera1=Camera(model="PINHOLE", image_size=None, params=(50.0, 51.0, 20.0, 15.0)),
)
VERIFICATION = PairVerification(same_scene=False, probability=0.25, reason="few inliers", num_inliers=2)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
class TestLoad:
    def test_everything_but_the_descriptors_comes_back(
        self, result: MatchResult, tmp_path: Path, suffix: str
    ) -> None:
        covariances = torch.arange(24.0).view(6, 2, 2)
        features0 = replace(result.features0, source="Föhr/写真.jpg", covariances=covariances)
        saved = replace(
            result,
            features0=features0,
            rotation0=90,
            rotation1=270,
            scale=0.5,
            tilt=2.0,
            stopped_by="latency_budget",
        )
        loaded = MatchResult.load(saved.save(tmp_path / f"m{suffix}"))
        assert loaded.to_dict() == saved.to_dict()
        for name in ("matches", "scores", "points0", "points1", "prune0", "prune1"):
            assert getattr(loaded, name).dtype == getattr(saved, name).dtype
        assert (loaded.rotation0, loaded.rotation1, loaded.layers_run) == (90, 270, 7)
        assert (loaded.scale, loaded.tilt) == (0.5, 2.0)
        assert loaded.stopped_by == saved.stopped_by
        assert loaded.keypoints_used == saved.keypoints_used
        assert type(loaded.stopped_by) is str
        assert loaded.features0.descriptors.shape == (6, 0)
        assert torch.equal(loaded.features0.covariances, covariances)
        assert loaded.features1.covariances is None
        assert (loaded.features0.kind, loaded.features0.source) == ("test@0123", "Föhr/写真.jpg")
        assert loaded.features1.source is None
        assert loaded.seconds == SECONDS

    @pytest.mark.parametrize("estimate", [None, POSE, an_estimate([False] * 3, matrix=None)], ids=str)
    def test_estimate_and_verification_come_back(
        self, result: MatchResult, tmp_path: Path, suffix: str, estimate: TwoViewEstimate | None
    ) -> None:
        path = result.save(tmp_path / f"m{suffix}", estimate, VERIFICATION)
        loaded, found = MatchResult.load(path), MatchResult.load_estimate(path)
        assert loaded.verify() == VERIFICATION
        assert loaded.inliers(an_estimate([True, False, False])).verify() == VERIFICATION
        assert (found is None) == (estimate is None)
        assert loaded.to_dict(found, loaded.verify()) == result.to_dict(estimate, VERIFICATION)

    def test_a_known_verification_is_saved(self, result: MatchResult, tmp_path: Path, suffix: str) -> None:
        known = replace(result, _known_verification=VERIFICATION)
        inliers = known.inliers(an_estimate([True, False, False]))
        for given in (known, inliers, known.with_seconds({})):
            assert MatchResult.load(given.save(tmp_path / f"m{suffix}")).verify() == VERIFICATION
        assert known.to_dict()["verification"]["reason"] == VERIFICATION.reason

    def test_an_estimated_verification_is_saved_but_none_is_estimated(
        self, result: MatchResult, tmp_path: Path, suffix: str
    ) -> None:
        assert "verification" not in result.to_dict()
        loaded = MatchResult.load(result.save(tmp_path / f"a{suffix}"))
        assert "verification" not in loaded.to_dict()
        found = result.verify()
        loaded = MatchResult.load(result.save(tmp_path / f"b{suffix}"))
        assert loaded.to_dict()["verification"] == result.to_dict()["verification"]
        assert loaded.verify() == found

    def test_an_empty_result_comes_back(self, empty: MatchResult, tmp_path: Path, suffix: str) -> None:
        loaded = MatchResult.load(empty.save(tmp_path / f"m{suffix}"))
        assert loaded.to_dict() == empty.to_dict()
        assert loaded.points0.shape == (0, 2)
        assert loaded.verify() == empty.verify()

    def test_another_format_is_an_error(
        self, result: MatchResult, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tiepoint.result.files.FORMAT", 0)
        path = result.save(tmp_path / f"m{suffix}")
        monkeypatch.undo()
        for load in (MatchResult.load, MatchResult.load_estimate):
            with pytest.raises(InvalidInput, match="format 1, got 0"):
                load(path)

    @pytest.mark.parametrize("content", [None, b"", b"[1]", b"PK\x03\x04 damaged", b"\xff\x00"], ids=str)
    def test_a_damaged_file_is_an_error(self, tmp_path: Path, suffix: str, content: bytes | None) -> None:
        path = tmp_path / f"m{suffix}"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InvalidInput, match=path.name) as error:
            MatchResult.load(path)
        assert "\n" not in str(error.value)
