"""Render plot and table of docs/explanation/adaptive-inference.md from benchmarks/records/adaptivity.json.

python -m benchmarks adaptivity render           # update the page's part, and its plot
python -m benchmarks adaptivity render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pages import add_page_arguments, format_versions, render, require_record, table
from benchmarks.paths import DOCS
from benchmarks.records import Record

PAGE = DOCS / "explanation" / "adaptive-inference.md"
PLOT = "adaptivity.png"
ALT = "Fraction of confident keypoints and number of keypoints after each layer, for an easy pair, a hard pair and two scenes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_page_arguments(parser, PAGE)


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks adaptivity"
    record = require_record(arguments.records, "adaptivity.json", command)

    def draw(folder: Path) -> None:
        from benchmarks.adaptivity.plot import save_plot  # --check needs no matplotlib

        save_plot(record["pairs"], folder / PLOT)

    render(arguments, "adaptivity", paragraphs(record), command=f"{command} render", draw=draw)


def paragraphs(record: Record) -> Iterator[str]:
    """Yield the content of the part."""
    yield f"![{ALT}](images/{PLOT})"
    pairs = record["pairs"]
    heads = [
        "after layer",
        *(f"{name}: {column}" for name in pairs for column in ("confident", "keypoints", "matches")),
    ]
    yield table(
        heads, [layer_row(pairs, layer) for layer in range(len(next(iter(pairs.values()))["layers"]))]
    )
    yield " ".join(describe_stop(name, pair) for name, pair in pairs.items())
    about = record["about"]
    yield (
        f"Preset `{record['preset']}`. Command: `{about['command']}`, {about['date']}; "
        f"{format_versions({name: about['versions'][name] for name in ('tiepoint', 'torch')})}."
    )


def layer_row(pairs: Record, layer: int) -> list[str]:
    """Return the state of all pairs after a layer; the last layer has no confidence and prunes nothing."""
    cells = [str(layer + 1)]
    for pair in pairs.values():
        row = pair["layers"][layer]
        confident = f"{row['confident']:.0%}" if "confident" in row else "–"
        cells += [confident, str(row["keypoints"]) if "confident" in row else "–", str(row["matches"])]
    return cells


def describe_stop(name: str, pair: Record) -> str:
    """Return where a pair stops."""
    how = "early" if pair["stopped_by"] == "confidence" else "at the last layer"
    return (
        f"The pair “{name}” stops {how}, after {pair['layers_run']} layers, with {pair['matches']} matches."
    )
