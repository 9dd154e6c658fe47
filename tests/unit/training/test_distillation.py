"""Soft targets: predicted once per image pair, and identical in either order, computed or read from the store."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.helpers.synthetic_pairs import SHAPE, SyntheticPairs

from tiepoint.geometry.ground_truth import UNMATCHED, no_matches
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.training import distillation
from tiepoint.training.data.pairs import PairDataset, PairSample, SoftTargets, collate
from tiepoint.training.distillation import (
    TOP_K,
    DistillationPairs,
    features_digest,
    from_record,
    to_record,
    top_k_targets,
)
from tiepoint.training.initialization import random_network


class FewPairs(SyntheticPairs):
    """Three pairs in turn, every second one with the images swapped."""

    def __getitem__(self, index: int) -> PairSample:
        sample = super().__getitem__(index % 3)
        return sample if index % 2 == 0 else sample.swapped()


@pytest.fixture
def teacher() -> LightGlue:
    return random_network(SHAPE, seed=9).eval().requires_grad_(False)


def make_pairs(folder: Path, teacher: LightGlue, dataset: PairDataset | None = None) -> DistillationPairs:
    return DistillationPairs(dataset or FewPairs(), teacher, folder)


def soft_targets_of(dataset: DistillationPairs, index: int) -> SoftTargets:
    found = dataset[index].soft_targets
    assert found is not None
    return found


def same(one: SoftTargets, other: SoftTargets) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_top_k_by_hand() -> None:
    found = top_k_targets(torch.tensor([[0.5, 0.1, 0.4], [0.05, 0.05, 0.1], [0.3, 0.6, 1.0]]).log())
    assert found.partners0[0].tolist() == [0, UNMATCHED, 1, UNMATCHED]
    assert found.probabilities0[0].tolist() == pytest.approx([0.5, 0.4, 0.1, 0.0])
    assert found.partners0[1, 0] == UNMATCHED
    assert found.probabilities0[1, 0].item() == pytest.approx(0.5)
    assert found.partners1[1].tolist() == [UNMATCHED, 0, 1, UNMATCHED]
    assert found.probabilities1[1].tolist() == pytest.approx([0.8, 0.4 / 3, 0.2 / 3, 0.0])


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
def test_no_keypoints_have_no_targets(m: int, n: int) -> None:
    found = top_k_targets(torch.zeros(m + 1, n + 1))
    assert found.partners0.shape == (m, TOP_K)
    assert found.partners1.shape == (n, TOP_K)
    assert (found.partners0 == UNMATCHED).all() or n > 0


def test_targets_are_the_predictions_of_the_teacher(tmp_path: Path, teacher: LightGlue) -> None:
    sample = FewPairs()[0]
    (scores,) = teacher(*collate([sample]).inputs)
    found = soft_targets_of(make_pairs(tmp_path, teacher), 0)
    likely = top_k_targets(scores).probabilities0[:, 0] > 0.3
    assert torch.equal(found.partners0[likely, 0], top_k_targets(scores).partners0[likely, 0])
    torch.testing.assert_close(
        found.probabilities0, top_k_targets(scores).probabilities0, atol=0.02, rtol=0
    )  # float16, and bfloat16 inside the teacher where that is fast


def test_record_round_trip_in_half_precision() -> None:
    found = top_k_targets(torch.randn(6, 5).log_softmax(1))
    again = from_record(to_record(found))
    assert torch.equal(found.partners0, again.partners0)
    torch.testing.assert_close(found.probabilities1, again.probabilities1, atol=1e-3, rtol=0)


def test_teacher_predicts_once_per_pair_in_either_order(
    tmp_path: Path, teacher: LightGlue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distillation, "SHARD_SIZE", 2)
    dataset, predicted = make_pairs(tmp_path, teacher), []
    predict = dataset._predict
    monkeypatch.setattr(dataset, "_predict", lambda sample: predicted.append(sample) or predict(sample))
    first = [soft_targets_of(dataset, index) for index in range(3)]
    again = [soft_targets_of(dataset, index) for index in range(3, 6)]
    assert len(predicted) == 3
    assert all(same(one, other.swapped()) for one, other in zip(first, again, strict=True))
    other = make_pairs(tmp_path, teacher)  # another process
    monkeypatch.setattr(other, "_predict", lambda sample: predicted.append(sample) or predict(sample))
    assert all(same(one, soft_targets_of(other, index)) for index, one in enumerate(first))
    assert len(predicted) == 4  # the third prediction was not written yet


def test_two_teachers_share_a_folder(tmp_path: Path, teacher: LightGlue) -> None:
    other = DistillationPairs(FewPairs(), random_network(SHAPE, seed=1).eval(), tmp_path)
    assert not same(soft_targets_of(make_pairs(tmp_path, teacher), 0), soft_targets_of(other, 0))


def test_batch_has_padded_targets(tmp_path: Path, teacher: LightGlue) -> None:
    dataset = make_pairs(tmp_path, teacher, SyntheticPairs())
    batch = dataset.batch(range(2))
    assert batch.soft_targets is not None
    assert batch.soft_targets.partners0.shape == (*batch.mask0.shape, TOP_K)
    assert (batch.soft_targets.probabilities0[~batch.mask0] == 0).all()
    assert same(batch.soft_targets, batch.to("cpu").soft_targets or batch.soft_targets.swapped())
    assert SyntheticPairs().batch(range(2)).soft_targets is None


def test_swapping_twice_is_the_identity(tmp_path: Path, teacher: LightGlue) -> None:
    sample = make_pairs(tmp_path, teacher)[0]
    again = sample.swapped().swapped()
    assert torch.equal(again.matches0, sample.matches0)
    assert again.soft_targets is not None
    assert sample.soft_targets is not None
    assert same(again.soft_targets, sample.soft_targets)
    assert torch.equal(sample.swapped().matches0, sample.matches1)


def test_batch_needs_targets_of_every_pair(tmp_path: Path, teacher: LightGlue) -> None:
    assert collate([make_pairs(tmp_path, teacher)[0], FewPairs()[1]]).soft_targets is None


def test_negatives_need_no_prediction(tmp_path: Path, teacher: LightGlue) -> None:
    class Negatives(SyntheticPairs):
        def __getitem__(self, index: int) -> PairSample:
            sample = super().__getitem__(index)
            nothing = no_matches(len(sample.matches0), len(sample.matches1))
            return replace(sample, **nothing._asdict())

    dataset = make_pairs(tmp_path, teacher, Negatives())
    found = soft_targets_of(dataset, 0)
    assert (found.partners0 == UNMATCHED).all()
    assert (found.probabilities1.sum(1) == 1).all()
    assert not dataset._new


def test_close_writes_remaining_predictions(
    tmp_path: Path, teacher: LightGlue, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_pairs(tmp_path, teacher)
    first = soft_targets_of(dataset, 0)
    dataset.close()
    other = make_pairs(tmp_path, teacher)
    monkeypatch.setattr(other, "_predict", None)
    assert same(soft_targets_of(other, 0), first)


def test_damaged_targets_are_predicted_again(tmp_path: Path, teacher: LightGlue) -> None:
    dataset = make_pairs(tmp_path, teacher)
    first = soft_targets_of(dataset, 0)
    dataset.close()
    (shard,) = tmp_path.glob("*/soft_targets/*.h5")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    other = make_pairs(tmp_path, teacher)
    assert other._store.has("soft_targets", next(iter(other._store.keys("soft_targets"))))
    shard.write_bytes(content)
    assert same(soft_targets_of(other, 0), first)


def test_digest_depends_on_descriptors_and_size() -> None:
    features = FewPairs()[0].features0
    assert features.descriptors is not None
    assert features_digest(features) != features_digest(replace(features, descriptors=-features.descriptors))
    assert features_digest(features) != features_digest(replace(features, image_size=(300, 300)))
