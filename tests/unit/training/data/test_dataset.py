"""The split into training and held-out images, and the preparation of the data."""

from pathlib import Path

import PIL.Image
import pytest
import torch
from tests.helpers.noise_images import identity_extractor, write_images

from tiepoint.errors import InvalidInput
from tiepoint.feature_store import Store
from tiepoint.io.progress import no_progress
from tiepoint.training.config import DataConfig, TrainConfig
from tiepoint.training.data.colmap_images import CachedReconstruction
from tiepoint.training.data.dataset import DataPaths, TrainingData, drop_images, prepare_data, split_held_out
from tiepoint.training.distributed import DistributedContext


def paths(count: int) -> list[Path]:
    return [Path(f"photos/{number}.jpg") for number in range(count)]


@pytest.mark.parametrize(("count", "held_out"), [(10, 4), (24, 4), (200, 10), (5000, 100)])
def test_five_percent_are_held_out(count: int, held_out: int) -> None:
    training, kept = split_held_out(paths(count))
    assert len(kept) == held_out
    assert sorted([*training, *kept]) == sorted(paths(count))


def test_split_depends_on_names_not_order() -> None:
    assert set(split_held_out(paths(50))[1]) == set(split_held_out(paths(50)[::-1])[1])


def test_fewer_than_ten_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"at least 10 .*got 9"):
        split_held_out(paths(9))


def test_cache_is_in_the_output_folder_by_default() -> None:
    assert DataPaths.from_config("photos", "out", DataConfig()).cache == Path("out/features")
    assert DataPaths.from_config("photos", "out", DataConfig(cache="c")).cache == Path("c")


def write(folder: Path, contents: dict[str, str]) -> Path:
    """Write text files with an image suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.jpg").write_text(content)
    return folder


def numbered(first: int, last: int) -> dict[str, str]:
    return {str(number): f"content {number}" for number in range(first, last)}


class TestSplit:
    @pytest.fixture
    def images(self, tmp_path: Path) -> Path:
        return write(tmp_path / "photos", numbered(0, 20))

    def test_separate_validation_images_leave_all_for_training(self, images: Path, tmp_path: Path) -> None:
        val = write(tmp_path / "val", numbered(30, 33))
        found = DataPaths(images=images, cache=tmp_path, val=val).split()
        assert (len(found.training), len(found.held_out), found.problems) == (20, 3, ())

    def test_validation_folder_inside_the_images_is_held_out(self, images: Path, tmp_path: Path) -> None:
        val = write(images / "val", numbered(30, 33))
        found = DataPaths(images=images, cache=tmp_path, val=val).split()
        assert set(found.held_out) == set(val.iterdir())
        assert {path.parent for path in found.training} == {images}
        assert found.problems == (f"3 of 23 images in {images} are also in {val} and are not trained on",)

    def test_duplicates_under_other_names_are_held_out(self, images: Path, tmp_path: Path) -> None:
        val = write(tmp_path / "val", {"x": "content 3", "y": "content 7", "z": "another"})
        found = DataPaths(images=images, cache=tmp_path, val=val).split()
        assert len(found.training) == 18
        assert not {"3", "7"} & {path.stem for path in found.training}
        assert "2 of 20 images" in found.problems[0]

    def test_no_training_images_are_refused(self, images: Path, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"at least 10 .*20 of 20 .*--val"):
            DataPaths(images=images, cache=tmp_path, val=images).split()

    def test_no_content_is_on_both_sides(self, images: Path, tmp_path: Path) -> None:
        write(images, {f"duplicate {name}": content for name, content in numbered(0, 20).items()})
        found = DataPaths(images=images, cache=tmp_path).split()
        training, held_out = (
            {path.read_text() for path in paths} for paths in (found.training, found.held_out)
        )
        assert (len(training), len(held_out), training & held_out) == (16, 4, set())

    def test_duplicates_do_not_count(self, tmp_path: Path) -> None:
        images = write(tmp_path / "photos", dict.fromkeys(numbered(0, 20), "the same"))
        with pytest.raises(InvalidInput, match=r"at least 10 .*got 1"):
            DataPaths(images=images, cache=tmp_path).split()

    def test_reconstruction_may_have_fewer_images(self, images: Path, tmp_path: Path) -> None:
        """Its pairs are checked later."""
        paths = DataPaths(images=images, cache=tmp_path, val=images, colmap=tmp_path)
        assert paths.split().training == []


def prepare(images: Path, cache: Path, val: Path | None = None, angle: float = 35.0) -> TrainingData:
    paths = DataPaths(images=images, cache=cache, val=val)
    single = DistributedContext(0, 1, torch.device("cpu"))
    warps = {"max_keypoints": 40, "resize": 96, "homography": {"max_angle_deg": angle}}
    config = TrainConfig().replace(data={"warps": warps})
    return prepare_data(paths, config, identity_extractor(), single, no_progress)


class TestUsable:
    """Usable images are counted over the whole folder, training and held out."""

    @pytest.fixture
    def images(self, tmp_path: Path) -> list[Path]:
        return write_images(tmp_path / "photos", 12)

    def broken(self, images: list[Path], count: int) -> Path:
        for path in images[:count]:
            path.write_text(f"no image: {path}")
        return images[0].parent

    @pytest.mark.parametrize("count", [3, 11])
    def test_fewer_than_ten_are_refused(self, images: list[Path], tmp_path: Path, count: int) -> None:
        folder = self.broken(images, count)
        with pytest.raises(InvalidInput, match=rf"at least 10 .*got {12 - count} usable"):
            prepare(folder, tmp_path / "cache")

    def test_broken_held_out_images_count_too(self, images: list[Path], tmp_path: Path) -> None:
        folder = self.broken(split_held_out(images)[1][:3], 3)
        with pytest.raises(InvalidInput, match=r"at least 10 .*got 9 usable"):
            prepare(folder, tmp_path / "cache")

    @pytest.mark.slow
    def test_no_usable_validation_image_is_refused(self, tmp_path: Path) -> None:
        images = write_images(tmp_path / "photos", 15)
        folder = self.broken(split_held_out(images)[1], 4)
        with pytest.raises(InvalidInput, match=r"no usable validation image.*--val"):
            prepare(folder, tmp_path / "cache")

    @pytest.mark.parametrize("count", [3, 12])
    def test_images_without_keypoints_are_not_usable(
        self, images: list[Path], tmp_path: Path, count: int
    ) -> None:
        """cvg/glue-factory#113: a training on such images ends well, and the network matches nothing."""
        for number, path in enumerate(images[:count]):
            PIL.Image.new("RGB", (128, 96), (15 * number, 9, 9)).save(path)
        with pytest.raises(InvalidInput, match=rf"got {12 - count} usable .*no keypoints in .*\.png"):
            prepare(images[0].parent, tmp_path / "cache")

    @pytest.mark.slow
    def test_some_images_without_keypoints_are_problems(self, images: list[Path], tmp_path: Path) -> None:
        PIL.Image.new("RGB", (128, 96), (1, 2, 3)).save(images[0])
        data = prepare(images[0].parent, tmp_path / "cache")
        (problem,) = data.problems
        assert "no keypoints" in problem
        assert "0.png" in problem

    @pytest.mark.slow
    def test_validation_images_without_keypoints_are_refused(self, tmp_path: Path) -> None:
        images = write_images(tmp_path / "photos", 12)
        (tmp_path / "val").mkdir()
        PIL.Image.new("RGB", (128, 96)).save(tmp_path / "val" / "blank.png")
        with pytest.raises(InvalidInput, match=r"no usable validation image .*no keypoints"):
            prepare(images[0].parent, tmp_path / "cache", tmp_path / "val")

    def test_one_image_is_refused(self, tmp_path: Path) -> None:
        (image,) = write_images(tmp_path / "photos", 1)
        with pytest.raises(InvalidInput, match=r"at least 10 .*got 1"):
            prepare(image.parent, tmp_path / "cache")

    @pytest.mark.slow
    def test_ten_are_enough(self, images: list[Path], tmp_path: Path) -> None:
        data = prepare(self.broken(images, 2), tmp_path / "cache")
        assert len(data.problems) == 2
        assert 1 <= len(data.held_out) <= 4

    @pytest.mark.slow
    def test_images_of_a_validation_folder_do_not_count(self, images: list[Path], tmp_path: Path) -> None:
        val = self.broken(images, 3).rename(tmp_path / "val")
        few = write_images(tmp_path / "few", 12, (160, 120))
        with pytest.raises(InvalidInput, match=r"at least 10 .*got 9 usable in .*few"):
            prepare(self.broken(few, 3), tmp_path / "cache", val)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("angle", "protocol"), [(35.0, "homography-512"), (180.0, "homography-512-rotated")]
    )
    def test_validation_measures_what_is_trained_for(
        self, images: list[Path], tmp_path: Path, angle: float, protocol: str
    ) -> None:
        assert prepare(images[0].parent, tmp_path / "cache", angle=angle).protocol.name == protocol

    @pytest.mark.slow
    def test_fingerprint_depends_on_the_images(self, images: list[Path], tmp_path: Path) -> None:
        """So resuming with other images is refused."""
        before = prepare(images[0].parent, tmp_path / "cache").dataset.fingerprint
        assert prepare(images[0].parent, tmp_path / "cache").dataset.fingerprint == before
        (more,) = write_images(tmp_path / "more", 1, (160, 120))
        more.rename(images[0].with_name("more.png"))
        assert prepare(images[0].parent, tmp_path / "cache").dataset.fingerprint != before


class TestDropImages:
    @pytest.fixture
    def reconstruction(self, tmp_path: Path) -> CachedReconstruction:
        pairs = (("a.jpg@1", "b.jpg@2"), ("b.jpg@2", "c@d.jpg@3"))
        neighbors = {"a.jpg@1": {"b.jpg@2"}, "b.jpg@2": {"a.jpg@1", "c@d.jpg@3"}, "c@d.jpg@3": {"b.jpg@2"}}
        return CachedReconstruction(
            store=Store(tmp_path / "store", {}),
            pairs=pairs,
            covisible={key: frozenset(others) for key, others in neighbors.items()},
            problems=(),
        )

    def test_held_out_images_are_in_no_pair(self, reconstruction: CachedReconstruction) -> None:
        assert drop_images(reconstruction, {"1"}).pairs == (("b.jpg@2", "c@d.jpg@3"),)
        assert drop_images(reconstruction, {"3"}).pairs == (("a.jpg@1", "b.jpg@2"),)
        assert drop_images(reconstruction, set()).pairs == reconstruction.pairs

    def test_held_out_images_are_in_no_negative(self, reconstruction: CachedReconstruction) -> None:
        assert reconstruction.non_covisible("a.jpg@1") == ["c@d.jpg@3"]
        assert drop_images(reconstruction, {"3"}).non_covisible("a.jpg@1") == []

    def test_no_remaining_pair_is_refused(self, reconstruction: CachedReconstruction) -> None:
        with pytest.raises(InvalidInput, match="--val"):
            drop_images(reconstruction, {"2"})
