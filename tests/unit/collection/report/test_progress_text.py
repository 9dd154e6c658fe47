"""The progress of a run in words."""

from dataclasses import replace

import pytest
from tests.helpers.run_progress import PROGRESS, STAGE

from tiepoint.collection.report.progress_text import describe_stage, describe_state, worker_row
from tiepoint.collection.run.live_progress import WorkerProgress


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "250 of 1,000 pairs, 5.00/s, 2 min remaining"),
        ({"rate": 0.0}, "250 of 1,000 pairs"),
        ({"done": 1000}, "1,000 of 1,000 pairs in 50.0 s"),
        ({"total": 0}, "no pairs missing"),
        ({"name": "extract"}, "250 of 1,000 images, 5.00/s, 2 min remaining"),
    ],
)
def test_stages_in_words(changes: dict, text: str) -> None:
    assert describe_stage(replace(STAGE, **changes)) == text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("running", "running; last record 10.0 s ago"),
        ("finished", "finished 10.0 s ago"),
        ("failed", "failed 10.0 s ago: no space"),
        ("interrupted", "interrupted 10.0 s ago; run the same command to resume"),
        ("killed", "killed, last record 10.0 s ago; run the same command to resume"),
    ],
)
def test_states_in_words(state, text: str) -> None:
    assert describe_state(replace(PROGRESS, state=state, message="no space"), 70.0) == text


def test_workers_in_words() -> None:
    assert worker_row(PROGRESS.workers[0], 70.0) == ("robot:78", "4", "250", "0.200 s", "10.0 s ago")
    idle = WorkerProgress(name="x", tasks=1, last_at=80.0)
    assert worker_row(idle, 70.0)[3:] == ("", "0.0 s ago")  # clocks of other machines differ
