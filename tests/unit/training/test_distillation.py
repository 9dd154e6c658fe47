"""A teacher predicts once for each two images; what it predicted comes back alike, in either order, new or read."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.helpers.synthetic_pairs import SHAPE, SyntheticPairs

from tiepoint.models.lightglue.network import LightGlue
from tiepoint.training import distillation
from tiepoint.training.data.ground_truth import UNMATCHED, nothing_matches
from tiepoint.training.data.pairs import PairSample, PairSource, SoftTargets, collate
from tiepoint.training.distillation import (
    TOP_K,
    DistillationPairs,
    features_digest,
    from_record,
    to_record,
    top_k_of,
)
from tiepoint.training.initialization import random_network


class FewPairs(SyntheticPairs):
    """Three pairs, again and again, every other time with the images in the other order."""

    def __getitem__(self, index: int) -> PairSample:
        sample = super().__getitem__(index % 3)
        return sample if index % 2 == 0 else sample.swapped()


@pytest.fixture
def teacher() -> LightGlue:
    return random_network(SHAPE, seed=9).eval().requires_grad_(False)


def pairs_of(folder: Path, teacher: LightGlue, source: PairSource | None = None) -> DistillationPairs:
    return DistillationPairs(source or FewPairs(), teacher, folder)


def soft_targets_of(source: DistillationPairs, index: int) -> SoftTargets:
    found = source[index].soft_targets
    assert found is not None
    return found


def same(one: SoftTargets, other: SoftTargets) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_by_hand() -> None:
    found = top_k_of(torch.tensor([[0.5, 0.1, 0.4], [0.05, 0.05, 0.1], [0.3, 0.6, 1.0]]).log())
    assert found.partners0[0].tolist() == [0, UNMATCHED, 1, UNMATCHED]
    assert found.probabilities0[0].tolist() == pytest.approx([0.5, 0.4, 0.1, 0.0])
    assert found.partners0[1, 0] == UNMATCHED
    assert found.probabilities0[1, 0].item() == pytest.approx(0.5)
    assert found.partners1[1].tolist() == [UNMATCHED, 0, 1, UNMATCHED]
    assert found.probabilities1[1].tolist() == pytest.approx([0.8, 0.4 / 3, 0.2 / 3, 0.0])


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
def test_no_keypoints_have_no_targets(m: int, n: int) -> None:
    found = top_k_of(torch.zeros(m + 1, n + 1))
    assert found.partners0.shape == (m, TOP_K)
    assert found.partners1.shape == (n, TOP_K)
    assert (found.partners0 == UNMATCHED).all() or n > 0


def test_they_are_what_the_teacher_predicts(tmp_path: Path, teacher: LightGlue) -> None:
    sample = FewPairs()[0]
    (scores,) = teacher(*collate([sample]).inputs)
    found = soft_targets_of(pairs_of(tmp_path, teacher), 0)
    likely = top_k_of(scores).probabilities0[:, 0] > 0.3
    assert torch.equal(found.partners0[likely, 0], top_k_of(scores).partners0[likely, 0])
    torch.testing.assert_close(
        found.probabilities0, top_k_of(scores).probabilities0, atol=0.02, rtol=0
    )  # float16, and bfloat16 inside the teacher where that is fast


def test_a_record_keeps_partners_and_two_bytes_of_probability() -> None:
    found = top_k_of(torch.randn(6, 5).log_softmax(1))
    again = from_record(to_record(found))
    assert torch.equal(found.partners0, again.partners0)
    torch.testing.assert_close(found.probabilities1, again.probabilities1, atol=1e-3, rtol=0)


def test_the_teacher_predicts_once_for_two_images_in_either_order(
    tmp_path: Path, teacher: LightGlue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distillation, "SHARD", 2)
    source, asked = pairs_of(tmp_path, teacher), []
    ask = source._predict
    monkeypatch.setattr(source, "_predict", lambda sample: asked.append(sample) or ask(sample))
    first = [soft_targets_of(source, index) for index in range(3)]
    again = [soft_targets_of(source, index) for index in range(3, 6)]
    assert len(asked) == 3
    assert all(same(one, other.swapped()) for one, other in zip(first, again, strict=True))
    other = pairs_of(tmp_path, teacher)  # another process
    monkeypatch.setattr(other, "_predict", lambda sample: asked.append(sample) or ask(sample))
    assert all(same(one, soft_targets_of(other, index)) for index, one in enumerate(first))
    assert len(asked) == 4  # the third was not written yet


def test_two_teachers_share_a_folder(tmp_path: Path, teacher: LightGlue) -> None:
    other = DistillationPairs(FewPairs(), random_network(SHAPE, seed=1).eval(), tmp_path)
    assert not same(soft_targets_of(pairs_of(tmp_path, teacher), 0), soft_targets_of(other, 0))


def test_a_batch_has_them_with_padding(tmp_path: Path, teacher: LightGlue) -> None:
    source = pairs_of(tmp_path, teacher, SyntheticPairs())
    batch = source.batch(range(2))
    assert batch.soft_targets is not None
    assert batch.soft_targets.partners0.shape == (*batch.mask0.shape, TOP_K)
    assert (batch.soft_targets.probabilities0[~batch.mask0] == 0).all()
    assert same(batch.soft_targets, batch.to("cpu").soft_targets or batch.soft_targets.swapped())
    assert SyntheticPairs().batch(range(2)).soft_targets is None


def test_swapping_twice_changes_nothing(tmp_path: Path, teacher: LightGlue) -> None:
    sample = pairs_of(tmp_path, teacher)[0]
    again = sample.swapped().swapped()
    assert torch.equal(again.matches0, sample.matches0)
    assert again.soft_targets is not None
    assert sample.soft_targets is not None
    assert same(again.soft_targets, sample.soft_targets)
    assert torch.equal(sample.swapped().matches0, sample.matches1)


def test_a_pair_without_them_leaves_the_batch_without(tmp_path: Path, teacher: LightGlue) -> None:
    assert collate([pairs_of(tmp_path, teacher)[0], FewPairs()[1]]).soft_targets is None


def test_negatives_need_no_prediction(tmp_path: Path, teacher: LightGlue) -> None:
    class Negatives(SyntheticPairs):
        def __getitem__(self, index: int) -> PairSample:
            sample = super().__getitem__(index)
            nothing = nothing_matches(len(sample.matches0), len(sample.matches1))
            return replace(sample, **nothing._asdict())

    source = pairs_of(tmp_path, teacher, Negatives())
    found = soft_targets_of(source, 0)
    assert (found.partners0 == UNMATCHED).all()
    assert (found.probabilities1.sum(1) == 1).all()
    assert not source._new


def test_closing_writes_what_is_left(
    tmp_path: Path, teacher: LightGlue, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pairs_of(tmp_path, teacher)
    first = soft_targets_of(source, 0)
    source.close()
    other = pairs_of(tmp_path, teacher)
    monkeypatch.setattr(other, "_predict", None)
    assert same(soft_targets_of(other, 0), first)


def test_what_was_damaged_is_predicted_again(tmp_path: Path, teacher: LightGlue) -> None:
    source = pairs_of(tmp_path, teacher)
    first = soft_targets_of(source, 0)
    source.close()
    (shard,) = tmp_path.glob("*/soft_targets/*.h5")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    other = pairs_of(tmp_path, teacher)
    assert other._store.has("soft_targets", next(iter(other._store.keys("soft_targets"))))
    shard.write_bytes(content)
    assert same(soft_targets_of(other, 0), first)


def test_other_descriptors_are_another_pair() -> None:
    features = FewPairs()[0].features0
    assert features.descriptors is not None
    assert features_digest(features) != features_digest(replace(features, descriptors=-features.descriptors))
    assert features_digest(features) != features_digest(replace(features, image_size=(300, 300)))
