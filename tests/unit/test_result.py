"""What one pair gave: points that the matches point at, pictures, files that any program can read."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.result import MatchResult, check_format
from tiepoint.types import Features, Matches

SIZE0, SIZE1 = (40, 30), (50, 20)
MATCHES = [[0, 3], [2, 0], [4, 1]]
SCORES = [0.25, 0.5, 1.0]
SECONDS = {"read": 0.25, "extract": 0.5, "match": 0.125}
NAMES = {
    *(
        f"{name}{side}"
        for name in ("image", "image_size", "exif_orientation", "points", "keypoints")
        for side in (0, 1)
    ),
    *("features", "scores", "matches", "layers_run", "survived0", "survived1", "seconds"),
}


def some_features(count: int, size: tuple[int, int], source: str | None = None) -> Features:
    generator = torch.Generator().manual_seed(count)
    return Features(
        keypoints=torch.rand(count, 2, generator=generator) * (torch.tensor(size) - 1),
        scores=torch.linspace(1, 0.5, count),
        descriptors=torch.nn.functional.normalize(torch.randn(count, 8, generator=generator), dim=1),
        image_size=size,
        kind="test@0123",
        source=source,
        exif_orientation=6,
    )


def some_matches(m: int, n: int, matches: list[list[int]], scores: list[float]) -> Matches:
    return Matches(
        matches=torch.tensor(matches, dtype=torch.int64).reshape(-1, 2),
        scores=torch.tensor(scores),
        matching_scores0=torch.zeros(m),
        matching_scores1=torch.zeros(n),
        survived0=torch.arange(m),
        survived1=torch.arange(n) + 1,
        layers_run=7,
    )


@pytest.fixture
def result() -> MatchResult:
    return MatchResult.of(
        some_features(6, SIZE0), some_features(4, SIZE1), some_matches(6, 4, MATCHES, SCORES), SECONDS
    )


@pytest.fixture
def empty() -> MatchResult:
    return MatchResult.of(some_features(0, SIZE0), some_features(4, SIZE1), some_matches(0, 4, [], []))


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.full((height, width, 3), 200, np.uint8) for width, height in (SIZE0, SIZE1))  # type: ignore[return-value]


def test_points_are_the_keypoints_that_the_matches_name(result: MatchResult) -> None:
    for k, (i, j) in enumerate(MATCHES):
        assert result.points0[k].tolist() == result.features0.keypoints[i].tolist()
        assert result.points1[k].tolist() == result.features1.keypoints[j].tolist()


def test_arrays_are_numpy_of_the_promised_types(result: MatchResult) -> None:
    assert len(result) == 3
    for array, shape, kind in (
        (result.points0, (3, 2), np.float32),
        (result.points1, (3, 2), np.float32),
        (result.scores, (3,), np.float32),
        (result.matches, (3, 2), np.integer),
        (result.survived0, (6,), np.integer),
        (result.survived1, (4,), np.integer),
    ):
        assert isinstance(array, np.ndarray)
        assert array.shape == shape
        assert np.issubdtype(array.dtype, kind)
    assert (result.layers_run, result.seconds) == (7, SECONDS)


def test_points_are_float32_whatever_the_keypoints_were(result: MatchResult) -> None:
    double = replace(result.features0, keypoints=result.features0.keypoints.double().requires_grad_())
    again = replace(result, features0=double)
    assert again.points0.dtype == np.float32
    np.testing.assert_array_equal(again.points0, result.points0)


def test_no_matches_is_a_result_like_any_other(empty: MatchResult) -> None:
    assert len(empty) == 0
    assert empty.points0.shape == empty.points1.shape == empty.matches.shape == (0, 2)
    assert empty.scores.shape == (0,)


def test_results_are_frozen(result: MatchResult) -> None:
    with pytest.raises(FrozenInstanceError):
        result.layers_run = 9  # type: ignore[misc]


class TestDraw:
    def test_images_given_as_pixels_are_passed_again(self, result: MatchResult, images) -> None:
        picture = result.draw(*images)
        assert isinstance(picture, PIL.Image.Image)
        assert picture.size == (SIZE0[0] + SIZE1[0], max(SIZE0[1], SIZE1[1]))

    @pytest.mark.parametrize("given", [0, 1])
    def test_pixels_that_are_missing_are_named(self, result: MatchResult, images, given: int) -> None:
        with pytest.raises(
            InvalidInput, match=f"image {1 - given} was matched from pixels.*draw\\(image0, image1\\)"
        ):
            result.draw(**{f"image{given}": images[given]})

    def test_files_are_read_again(self, result: MatchResult, images, tmp_path: Path) -> None:
        for side, image in enumerate(images):
            PIL.Image.fromarray(image).save(tmp_path / f"{side}.png")
        known = replace(
            result,
            features0=replace(result.features0, source=str(tmp_path / "0.png")),
            features1=replace(result.features1, source=str(tmp_path / "1.png")),
        )
        np.testing.assert_array_equal(known.draw(), result.draw(*images))

    def test_another_size_than_was_matched_is_an_error(self, result: MatchResult, images) -> None:
        with pytest.raises(InvalidInput, match=r"image 1 is 40 x 30 px, but 50 x 20 was matched"):
            result.draw(images[0], images[0])

    def test_lines_have_the_colour_of_their_score(self, result: MatchResult, images) -> None:
        weak, strong = (
            np.asarray(replace(result, scores=np.full(3, score, np.float32)).draw(*images), dtype=int)
            for score in (0.0, 1.0)
        )
        red_over_green = [(picture[..., 0] - picture[..., 1]) for picture in (weak, strong)]
        assert red_over_green[0].max() > 100  # red where the score is low …
        assert red_over_green[1].min() < -100  # … green where it is high
        assert red_over_green[0].min() >= 0 >= red_over_green[1].max()

    def test_the_strongest_lines_are_kept(self, result: MatchResult, images) -> None:
        one = result.draw(*images, max_lines=1)
        best = replace(result, matches=result.matches[2:], scores=result.scores[2:])
        np.testing.assert_array_equal(one, best.draw(*images))
        assert np.any(np.asarray(one) != np.asarray(result.draw(*images)))
        np.testing.assert_array_equal(result.draw(*images, max_lines=None), result.draw(*images, max_lines=3))

    def test_keypoints_without_a_match_are_shown_on_request(self, result: MatchResult, images) -> None:
        plain, full = (
            np.asarray(result.draw(*images, max_lines=0, keypoints=wanted)) for wanted in (False, True)
        )
        x, y = result.features0.keypoints[1].round().int().tolist()
        assert np.any(plain[y, x] != full[y, x])

    def test_nothing_to_draw_is_a_picture_without_lines(self, empty: MatchResult, images) -> None:
        assert empty.draw(*images, keypoints=True).size == (90, 30)


class TestSave:
    def test_json_and_npz_hold_the_same_names(self, result: MatchResult, tmp_path: Path) -> None:
        """But for the seconds: .npz has no place for a dict, so each stage has a name of its own."""
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
            for name in ("points0", "points1", "scores", "matches", "survived0", "survived1"):
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

    def test_the_dict_is_what_the_json_file_holds(self, result: MatchResult, tmp_path: Path) -> None:
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
        assert json.loads(result.save(tmp_path / "m.json").read_text()) == result.to_dict()

    def test_names_outside_ascii_come_back(self, result: MatchResult, tmp_path: Path) -> None:
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
    def test_another_ending_is_an_error_before_anything_is_written(
        self, result: MatchResult, tmp_path: Path, name: str
    ) -> None:
        for attempt in (result.save, check_format):
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

    def test_a_missing_folder_is_an_error(self, result: MatchResult, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="doesn't exist"):
            result.save(tmp_path / "missing" / "m.npz")
