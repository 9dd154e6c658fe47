"""Reports of a collection: run report, statistics, interactive plots, HTML view."""
