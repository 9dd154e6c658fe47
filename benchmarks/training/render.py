"""Render the training part of docs/results.md from benchmarks/records/{training,small_preset}.json.

python -m benchmarks training render           # update the page's part about training
python -m benchmarks training render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from benchmarks.pages import add_page_arguments, render, require_record, table
from benchmarks.records import Record, read_record
from benchmarks.timing import ratios

TITLES = {
    "a": "From scratch",
    "b": "With a teacher",
    "c": "Any in-plane rotation",
    "d": "Small student",
    "e": "Any in-plane rotation, with repeatable keypoints",
    "f": "Any in-plane rotation, with updates of low rank",
}

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    command = "python -m benchmarks training"
    record = require_record(arguments.records, "training.json", command)
    interpolation = read_record(arguments.records, "small_preset.json")
    content = list(paragraphs(record))
    if interpolation is not None:
        content += interpolation_paragraphs(interpolation)
    render(arguments, "training", content, command=f"{command} render")


def paragraphs(record: Record) -> Iterator[str]:
    """Yield the content of the part."""
    yield origin(record["about"])
    if "known" in record:
        yield "### Without training"
        yield "The published network truncated to fewer layers, and the small preset. Means in %."
        yield metrics_table(record["known"])
    for name, part in record["parts"].items():
        yield f"### {TITLES[name]}"
        yield describe_part(part)
        yield metrics_table(part["figures"])
        yield "Precision / recall with other filter thresholds than 0.1, that of the protocol:"
        yield thresholds_table(part["thresholds"])
        if "turned" in part:
            yield "Image 1 rotated and extracted again; precision / recall, and correct matches per pair:"
            yield rotations_table(part["turned"])
        if "speed" in part:
            yield "Time to match one pair; medians, side by side in one run:"
            yield speed_table(part["speed"])


def interpolation_paragraphs(record: Record) -> Iterator[str]:
    """Yield the evaluation of interpolated weights."""
    about = record["about"]
    yield "### Interpolation of the weights of the small preset"
    yield (
        f"Command: `{about['command']}`, {about['date']}. Weights are interpolated between the published two layers and those of "
        f"part d. Warps: as above. Different images: {about['pairs']} pairs of neighboring images of the training folder; "
        f"precision and recall are with respect to the matches of all nine published layers ({about['teacher_matches']:.0f} per "
        f"pair), as there is no ground truth. Selected: {record['share']:g}."
    )
    heads = ["fraction of the trained weights", "warps", "different images", "their matches"]
    yield table(heads, map(interpolation_row, record["rows"]))


def interpolation_row(row: Record) -> list[str]:
    """Return precision / recall on warps and on different images."""
    both = (precision_and_recall(metrics) for metrics in (row["views"], row))
    return [f"{row['share']:g}", *both, f"{row['matches']:.0f}"]


def origin(about: Record) -> str:
    """Return the command, date, machine and data."""
    machine, images = about["machine"], about["images"]
    return (
        f"Command: `{about['command']}`, {about['date']}, {machine['processor']}, torch {machine['torch']}; "
        f"{about['processes']} processes of one thread; {images['train']:,} training images, "
        f"{images['val']} validation images."
    )


def describe_part(part: Record) -> str:
    """Return the network, and how long it was trained."""
    report = part["report"]
    shape = report["shape"]
    return (
        f"`tiepoint train {part['options']}`: {shape['layers']} layers, dimension {shape['dim']}, "
        f"{report['parameters'] / 1e6:.1f} million parameters; {report['pairs']:,} pairs in "
        f"{report['seconds'] / 60:.0f} minutes. Protocol `{part['protocol']}`, means in %."
    )


def metrics_table(metrics: Mapping[str, Record]) -> str:
    """Return a table with one row per matcher."""
    rows = [
        [
            name,
            *(percent(row[key]) for key in ("precision", "recall", "auc")),
            f"{row['correct']:.0f}",
            f"{row['layers']:.1f}",
        ]
        for name, row in metrics.items()
    ]
    return table(["matcher", "precision", "recall", "AUC", "correct matches", "layers"], rows)


def thresholds_table(metrics: Mapping[str, Mapping[str, Record]]) -> str:
    """Return a table with one row per network and one column per threshold."""
    rows = [[name, *map(precision_and_recall, columns.values())] for name, columns in metrics.items()]
    return table(["matcher", *next(iter(metrics.values()))], rows)


def rotations_table(rotated: Mapping[str, Mapping[str, Record]]) -> str:
    """Return a table with one row per matcher and one column per angle."""
    names = list(next(iter(rotated.values())))
    rows = [[name, *(rotation_cell(metrics[name]) for metrics in rotated.values())] for name in names]
    return table(["matcher", *(f"{angle}°" for angle in rotated)], rows)


def rotation_cell(metrics: Record) -> str:
    """Return precision, recall, and the number of correct matches."""
    return f"{precision_and_recall(metrics)}, {metrics['correct']:.0f}"


def precision_and_recall(metrics: Record) -> str:
    """Return precision / recall in %."""
    return f"{percent(metrics['precision'])} / {percent(metrics['recall'])}"


def speed_table(timings: Sequence[Record]) -> str:
    """Return a table with one row per pair and mode."""
    return table(["pair", "published", "trained", "speedup"], map(speed_row, timings))


def speed_row(timing: Record) -> list[str]:
    """Return times and speedup of the student."""
    published, trained = (timing["seconds"][name] for name in ("published", "trained"))
    speedup = ratios(trained, published).median
    return [timing["name"], f"{median(published):.2f} s", f"{median(trained):.2f} s", f"{speedup:.1f}"]


def percent(fraction: float | None) -> str:
    """Return a fraction in %, or a dash."""
    return "–" if fraction is None else f"{100 * fraction:.1f}"
