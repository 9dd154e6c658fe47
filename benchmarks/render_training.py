"""Write the part about training of docs/results.md from benchmarks/records/training.json.

.venv/bin/python benchmarks/render_training.py           # rewrite the page's part about training
.venv/bin/python benchmarks/render_training.py --check   # exit 1 if the page isn't what the record says
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pages import parse, render, table

TITLES = {
    "a": "From scratch",
    "b": "With a teacher",
    "c": "Any turn in the image plane",
    "d": "The small preset",
}

Record = dict[str, Any]


def main() -> None:
    """Replace what stands between the marks."""
    arguments = parse(__doc__)
    record = json.loads((arguments.records / "training.json").read_text())
    render(arguments, "training", sections(record), again="benchmarks/render_training.py")


def sections(record: Record) -> Iterator[str]:
    """Everything that stands between the marks, piece by piece."""
    yield origin(record["about"])
    for name, part in sorted(record["parts"].items()):
        yield f"### {TITLES[name]}"
        yield described(part)
        yield figures_table(part["report"]["figures"])
        if "turned" in part:
            yield "Image 1 turned by quarter turns, and its features found anew; precision / recall, correct matches a pair:"
            yield turns_table(part["turned"])
        if "seconds" in part:
            yield seconds_line(part)


def origin(about: Record) -> str:
    """The command, day, machine and data."""
    machine, photographs = about["machine"], about["photographs"]
    return (
        f"`{about['command']}`, {about['date']}, {machine['processor']}, threads: {about['threads']}; torch "
        f"{machine['torch']}; {photographs['train']:,} photographs to learn from, {photographs['val']} to validate on."
    )


def described(part: Record) -> str:
    """The network, and how long it was trained."""
    report = part["report"]
    shape = report["shape"]
    return (
        f"Recipe `{report['recipe']}`: {shape['layers']} layers, width {shape['dim']}, {report['parameters'] / 1e6:.1f} "
        f"million parameters; {report['pairs']:,} pairs in {report['seconds'] / 60:.0f} minutes. Protocol "
        f"`{report['protocol']['name']}`, means in %."
    )


def figures_table(figures: Mapping[str, Record]) -> str:
    """One row a matcher."""
    rows = [
        [
            name,
            *(percent(of[key]) for key in ("precision", "recall", "auc")),
            f"{of['layers']:.1f}",
            f"{of['seconds']:.3f}",
        ]
        for name, of in figures.items()
    ]
    return table(["matcher", "precision", "recall", "AUC", "layers", "seconds a pair"], rows)


def turns_table(turned: Mapping[str, Mapping[str, Record]]) -> str:
    """One row a matcher, one column an angle."""
    names = list(next(iter(turned.values())))
    rows = [[name, *(turn_cell(figures[name]) for figures in turned.values())] for name in names]
    return table(["matcher", *(f"{angle}°" for angle in turned)], rows)


def turn_cell(figures: Record) -> str:
    """Precision, recall, and how many matches are right."""
    right = figures["precision"] * figures["matches"]
    return f"{percent(figures['precision'])} / {percent(figures['recall'])}, {right:.0f}"


def seconds_line(part: Record) -> str:
    """How much faster the student is."""
    seconds = part["seconds"]
    times = {
        kind: seconds[f"published, {kind}"] / seconds[f"trained, {kind}"]
        for kind in ("all layers", "adaptive")
    }
    cells = ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())
    return (
        f"Matching one pair of {part['keypoints']} keypoints: {cells}. So it is **{times['all layers']:.1f} times** as fast "
        f"with all layers, {times['adaptive']:.1f} times when both are adaptive."
    )


def percent(share: float | None) -> str:
    """A share in %, or a dash."""
    return "–" if share is None else f"{100 * share:.1f}"


if __name__ == "__main__":
    main()
