"""Write the part about training of docs/results.md from training.json and small_preset.json in benchmarks/records.

.venv/bin/python benchmarks/render_training.py           # rewrite the page's part about training
.venv/bin/python benchmarks/render_training.py --check   # exit 1 if the page isn't what the record says
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from pages import parse, render, table
from timing import ratios

TITLES = {
    "a": "From scratch",
    "b": "With a teacher",
    "c": "Any turn in the image plane",
    "d": "The small student",
    "e": "Any turn, with keypoints that are found again",
}

Record = dict[str, Any]


def main() -> None:
    """Replace what stands between the marks."""
    arguments = parse(__doc__)
    record = json.loads((arguments.records / "training.json").read_text())
    shares = arguments.records / "small_preset.json"
    pieces = list(sections(record))
    if shares.exists():
        pieces += shares_section(json.loads(shares.read_text()))
    render(arguments, "training", pieces, again="benchmarks/render_training.py")


def sections(record: Record) -> Iterator[str]:
    """Everything that stands between the marks, piece by piece."""
    yield origin(record["about"])
    if "known" in record:
        yield "### What is there without training"
        yield "The published layers stopped early, each with its own head, and the small preset. Means in %."
        yield figures_table(record["known"])
    for name, part in record["parts"].items():
        yield f"### {TITLES[name]}"
        yield described(part)
        yield figures_table(part["figures"])
        yield "Precision / recall with other filter thresholds than the protocol's 0.1:"
        yield thresholds_table(part["thresholds"])
        if "turned" in part:
            yield "Image 1 turned, and its features found anew; precision / recall, and correct matches a pair:"
            yield turns_table(part["turned"])
        if "speed" in part:
            yield "Seconds to match one pair of photographs; medians side by side in one run:"
            yield speed_table(part["speed"])


def shares_section(record: Record) -> Iterator[str]:
    """How much of the trained weights the small preset has, and why."""
    about = record["about"]
    yield "### The small preset, between the published and the trained weights"
    yield (
        f"`{about['command']}`, {about['date']}. Every weight is a mean of the published two layers' and of those of part d. "
        f"Views: as above. Different photographs: {about['pairs']} pairs that follow each other in the folder to learn from; "
        f"precision and recall count matches of all nine published layers ({about['teacher_matches']:.0f} a pair) as right, since "
        f"nobody knows the truth. Taken: {share_name(record['share'])}."
    )
    heads = ["share of the trained weights", "views", "different photographs", "their matches"]
    yield table(heads, map(share_row, record["rows"]))


def share_row(row: Record) -> list[str]:
    """Precision / recall of both, in %."""
    both = (precision_and_recall(figures) for figures in (row["views"], row))
    return [share_name(row["share"]), *both, f"{row['matches']:.0f}"]


def share_name(share: float) -> str:
    """As the page writes it."""
    return f"{share:g}"


def origin(about: Record) -> str:
    """The command, day, machine and data."""
    machine, photographs = about["machine"], about["photographs"]
    return (
        f"`{about['command']}`, {about['date']}, {machine['processor']}, torch {machine['torch']}; "
        f"{about['processes']} processes of one thread; {photographs['train']:,} photographs to learn from, "
        f"{photographs['val']} to validate on."
    )


def described(part: Record) -> str:
    """The network, and how long it was trained."""
    report = part["report"]
    shape = report["shape"]
    return (
        f"`tiepoint train {part['options']}`: {shape['layers']} layers, width {shape['dim']}, "
        f"{report['parameters'] / 1e6:.1f} million parameters; {report['pairs']:,} pairs in "
        f"{report['seconds'] / 60:.0f} minutes. Protocol `{part['protocol']}`, means in %."
    )


def figures_table(figures: Mapping[str, Record]) -> str:
    """One row a matcher."""
    rows = [
        [
            name,
            *(percent(of[key]) for key in ("precision", "recall", "auc")),
            f"{of['correct']:.0f}",
            f"{of['layers']:.1f}",
        ]
        for name, of in figures.items()
    ]
    return table(["matcher", "precision", "recall", "AUC", "correct matches", "layers"], rows)


def thresholds_table(figures: Mapping[str, Mapping[str, Record]]) -> str:
    """One row a network, one column a threshold."""
    rows = [[name, *map(precision_and_recall, by.values())] for name, by in figures.items()]
    return table(["matcher", *next(iter(figures.values()))], rows)


def turns_table(turned: Mapping[str, Mapping[str, Record]]) -> str:
    """One row a matcher, one column an angle."""
    names = list(next(iter(turned.values())))
    rows = [[name, *(turn_cell(figures[name]) for figures in turned.values())] for name in names]
    return table(["matcher", *(f"{angle}°" for angle in turned)], rows)


def turn_cell(figures: Record) -> str:
    """Precision, recall, and how many matches are right."""
    return f"{precision_and_recall(figures)}, {figures['correct']:.0f}"


def precision_and_recall(figures: Record) -> str:
    """Both in %."""
    return f"{percent(figures['precision'])} / {percent(figures['recall'])}"


def speed_table(timings: Sequence[Record]) -> str:
    """One row a pair and kind."""
    return table(["pair", "published", "trained", "times as fast"], map(speed_row, timings))


def speed_row(timing: Record) -> list[str]:
    """How much faster the student is."""
    published, trained = (timing["seconds"][name] for name in ("published", "trained"))
    times = ratios(trained, published).median
    return [timing["name"], f"{median(published):.2f} s", f"{median(trained):.2f} s", f"{times:.1f}"]


def percent(share: float | None) -> str:
    """A share in %, or a dash."""
    return "–" if share is None else f"{100 * share:.1f}"


if __name__ == "__main__":
    main()
