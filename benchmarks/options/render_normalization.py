"""Render what OpenCV's normalization costs into docs/how-to/deploy.md, from benchmarks/records/normalization.json.

python -m benchmarks options render-normalization           # update the page's part
python -m benchmarks options render-normalization --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator

from benchmarks.options.normalization import LONGER_SIDE, PER_AXIS, PRESET, RECORD
from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.paths import DOCS
from benchmarks.records import Record
from benchmarks.summary.metrics import KINDS, difference, summarize
from benchmarks.summary.render import LABELS, values_of

COMMAND = "python -m benchmarks options"
HEADS = ("normalization", "summary", *LABELS.values(), "difference, 95 % interval")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_page_arguments(parser, DOCS / "how-to" / "deploy.md")


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    record = require_record(arguments.records, RECORD, f"{COMMAND} normalization")
    render(arguments, "normalization", paragraphs(record), command=f"{COMMAND} render-normalization")


def paragraphs(record: Record) -> Iterator[str]:
    """Yield introduction and table."""
    pairs = record["pairs"]
    counts = ", ".join(f"{pairs['kind'].count(kind)} {label}" for kind, label in LABELS.items())
    yield (
        f"Accuracy of `{PRESET}` in % ([summary](../results.md#accuracy-against-time)), {len(pairs['pair'])} pairs of "
        f"{len(set(pairs['set']))} data sets ({counts}). {origin(record, machine=False)}"
    )
    yield table(HEADS, [row(record, name) for name in (LONGER_SIDE, PER_AXIS)])


def row(record: Record, name: str) -> list[str]:
    """Return the cells of one normalization."""
    values = values_of(record, name)
    means = [
        summarize({key: column for key, column in values.items() if key[0] == kind})
        if any(key[0] == kind for key in values)
        else None
        for kind in KINDS
    ]
    cells = [name, *("–" if mean is None else f"{mean:.1f}" for mean in (summarize(values), *means))]
    if name == LONGER_SIDE:
        return [*cells, ""]
    change = difference(values_of(record, LONGER_SIDE), values)
    return [*cells, f"{change.value:+.1f} ({change.low:+.1f} to {change.high:+.1f})"]
