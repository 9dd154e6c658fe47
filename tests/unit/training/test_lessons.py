"""A teacher is asked once for each two images; what it said comes back alike, in either order, from either place."""

from pathlib import Path

import pytest
import torch
from tests.synthetic_pairs import SHAPE, SyntheticPairs

from tiepoint.networks.lightglue import LightGlue
from tiepoint.training import lessons
from tiepoint.training.ground_truth import UNMATCHED
from tiepoint.training.lessons import PARTNERS, TaughtPairs, lesson_from_record, lesson_of, lesson_to_record
from tiepoint.training.samples import Lesson, PairSample, PairSource, collate
from tiepoint.training.starting import random_network


class FewPairs(SyntheticPairs):
    """Three pairs, again and again, every other time with the images in the other order."""

    def __getitem__(self, index: int) -> PairSample:
        sample = super().__getitem__(index % 3)
        return sample if index % 2 == 0 else sample.swapped()


@pytest.fixture
def teacher() -> LightGlue:
    return random_network(SHAPE, seed=9).eval().requires_grad_(False)


def taught(folder: Path, teacher: LightGlue, source: PairSource | None = None) -> TaughtPairs:
    return TaughtPairs(source or FewPairs(), teacher, folder, "a teacher")


def lesson(source: TaughtPairs, index: int) -> Lesson:
    found = source[index].lesson
    assert found is not None
    return found


def same(one: Lesson, other: Lesson) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_lesson_by_hand() -> None:
    found = lesson_of(torch.tensor([[0.5, 0.1, 0.4], [0.05, 0.05, 0.1], [0.3, 0.6, 1.0]]).log())
    assert found.partners0[0].tolist() == [0, UNMATCHED, 1, UNMATCHED]
    assert found.probabilities0[0].tolist() == pytest.approx([0.5, 0.4, 0.1, 0.0])
    assert found.partners0[1, 0] == UNMATCHED
    assert found.probabilities0[1, 0].item() == pytest.approx(0.5)
    assert found.partners1[1].tolist() == [UNMATCHED, 0, 1, UNMATCHED]
    assert found.probabilities1[1].tolist() == pytest.approx([0.8, 0.4 / 3, 0.2 / 3, 0.0])


@pytest.mark.parametrize(("m", "n"), [(0, 3), (3, 0), (0, 0)])
def test_no_keypoints_is_an_empty_lesson(m: int, n: int) -> None:
    found = lesson_of(torch.zeros(m + 1, n + 1))
    assert found.partners0.shape == (m, PARTNERS)
    assert found.partners1.shape == (n, PARTNERS)
    assert (found.partners0 == UNMATCHED).all() or n > 0


def test_what_is_said_is_what_the_teacher_would_say(tmp_path: Path, teacher: LightGlue) -> None:
    sample = FewPairs()[0]
    (scores,) = teacher(*collate([sample]).inputs)
    found = lesson(taught(tmp_path, teacher), 0)
    likely = lesson_of(scores).probabilities0[:, 0] > 0.3
    assert torch.equal(found.partners0[likely, 0], lesson_of(scores).partners0[likely, 0])
    torch.testing.assert_close(
        found.probabilities0, lesson_of(scores).probabilities0, atol=0.02, rtol=0
    )  # float16, and bfloat16 inside the teacher where that is fast


def test_a_record_keeps_partners_and_two_bytes_of_probability() -> None:
    found = lesson_of(torch.randn(6, 5).log_softmax(1))
    again = lesson_from_record(lesson_to_record(found))
    assert torch.equal(found.partners0, again.partners0)
    torch.testing.assert_close(found.probabilities1, again.probabilities1, atol=1e-3, rtol=0)


def test_the_teacher_is_asked_once_for_two_images_in_either_order(
    tmp_path: Path, teacher: LightGlue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessons, "SHARD", 2)
    source, asked = taught(tmp_path, teacher), []
    ask = source._ask
    monkeypatch.setattr(source, "_ask", lambda sample: asked.append(sample) or ask(sample))
    first = [lesson(source, index) for index in range(3)]
    again = [lesson(source, index) for index in range(3, 6)]
    assert len(asked) == 3
    assert all(same(one, other.swapped()) for one, other in zip(first, again, strict=True))
    other = taught(tmp_path, teacher)  # another process
    monkeypatch.setattr(other, "_ask", lambda sample: asked.append(sample) or ask(sample))
    assert all(same(one, lesson(other, index)) for index, one in enumerate(first))
    assert len(asked) == 4  # the third was not written yet


def test_two_teachers_share_a_folder(tmp_path: Path, teacher: LightGlue) -> None:
    other = TaughtPairs(FewPairs(), random_network(SHAPE, seed=1).eval(), tmp_path, "another")
    assert not same(lesson(taught(tmp_path, teacher), 0), lesson(other, 0))


def test_a_batch_has_lessons_with_padding(tmp_path: Path, teacher: LightGlue) -> None:
    source = taught(tmp_path, teacher, SyntheticPairs())
    batch = source.batch(range(2))
    assert batch.lesson is not None
    assert batch.lesson.partners0.shape == (*batch.mask0.shape, PARTNERS)
    assert (batch.lesson.probabilities0[~batch.mask0] == 0).all()
    assert same(batch.lesson, batch.to("cpu").lesson or batch.lesson.swapped())
    assert SyntheticPairs().batch(range(2)).lesson is None


def test_swapping_twice_changes_nothing(tmp_path: Path, teacher: LightGlue) -> None:
    sample = taught(tmp_path, teacher)[0]
    again = sample.swapped().swapped()
    assert torch.equal(again.matches0, sample.matches0)
    assert again.lesson is not None
    assert sample.lesson is not None
    assert same(again.lesson, sample.lesson)
    assert torch.equal(sample.swapped().matches0, sample.matches1)
