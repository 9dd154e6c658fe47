"""The progress of a run that matches pairs."""

from tiepoint.collection.run.live_progress import LiveProgress, StageProgress, WorkerProgress

STAGE = StageProgress(name="match", done=250, total=1000, started_at=0.0, seconds=50.0, rate=5.0)
PROGRESS = LiveProgress(
    state="running",
    host="robot",
    process_id=77,
    executor="processes:2",
    started_at=0.0,
    updated_at=60.0,
    stages=(StageProgress(name="extract", done=0, total=0, started_at=0.0), STAGE),
    workers=(WorkerProgress(name="robot:78", tasks=4, records=250, busy_s=50.0, last_at=60.0),),
    num_problems=1,
    problems=("<b>.jpg: truncated",),
)
