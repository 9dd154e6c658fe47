"""Training data of a collection, and a tiny training on it."""

from pathlib import Path

import pytest
import torch
from tests.helpers.given_features import TINY
from tests.helpers.small_collections import QUICK, write_image_folder
from tests.helpers.synthetic_pairs import SyntheticPairs

import tiepoint
from tiepoint.errors import InvalidInput
from tiepoint.training.data.collection_data import MixedPairs
from tiepoint.training.data.pairs import PairSample


class Moved(SyntheticPairs):
    """The same pairs, of another data set."""

    fingerprint = "moved"

    def __getitem__(self, index: int) -> PairSample:
        return super().__getitem__(index + 1000)


def test_mixed_pairs_are_of_both_datasets() -> None:
    first, second = SyntheticPairs(), Moved()
    mixed = MixedPairs(first, second, 0.25, seed=0)
    from_second = [
        torch.equal(second[index].features0.keypoints, mixed[index].features0.keypoints)
        for index in range(40)
    ]
    assert 3 <= sum(from_second) <= 20
    for index in (0, 7):
        chosen = second if from_second[index] else first
        assert torch.equal(mixed[index].matches1, chosen[index].matches1)
    assert mixed.kind == first.kind
    assert mixed.fingerprint != MixedPairs(first, second, 0.5, seed=0).fingerprint
    mixed.close()


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    images = write_image_folder(folder / "images", 12)
    options = QUICK | {"max_keypoints": 128}
    tiepoint.match_collection(images, folder / "out", pairs="exhaustive", **options)
    return folder


@pytest.mark.slow
class TestTraining:
    """Real, tiny trainings on a folder of views of one texture."""

    def test_a_mixture(self, collection: Path, tmp_path: Path) -> None:
        config = TINY.replace(
            model={"extractor": "aliked-t16"},
            data={
                "collection": collection / "out",
                "negatives": 0.05,
                "warps": {"resize": 128, "max_keypoints": 128},
            },
        )
        report = tiepoint.train(collection / "images", tmp_path / "out", config, device="cpu")
        assert (report.protocol.name, report.problems) == ("verified-pairs", ())
        assert report.metrics["mutual nearest"].recall > 0.5
        assert tiepoint.load(tmp_path / "out", device="cpu").matcher.settings.kind.startswith("aliked-t16")

    def test_the_collection_of_another_extractor_is_refused(self, collection: Path, tmp_path: Path) -> None:
        config = TINY.replace(
            model={"extractor": "xfeat"}, data={"collection": collection / "out", "warp_fraction": 0.0}
        )
        with pytest.raises(InvalidInput, match=r"aliked-t16.*xfeat"):
            tiepoint.train(collection / "images", tmp_path / "out", config, device="cpu")
