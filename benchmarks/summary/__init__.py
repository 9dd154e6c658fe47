"""One number per method: accuracy over all pairs of ../shared/data, against the time of a pair."""
