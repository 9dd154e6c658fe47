"""Running a collection: planning, tasks, stages, executors, provenance."""
