"""match_collection: stages, tasks and executors of a run, and the status of its output folder."""
