"""Fit and test `result.verify()` on photographs of ../shared/data; benchmarks/render_verdict.py makes the page.

    .venv/bin/python benchmarks/verdict.py            # about half an hour of one thread where nothing is stored yet
    .venv/bin/python benchmarks/verdict.py --quick    # few pairs of the quickest preset: does it still work?

One half of the places is fitted, the other half tested (verdict_pairs.py). The coefficients that are printed belong into
`MODELS` of src/tiepoint/geometry/pair_verification.py; a test compares them with the record. Features and matches stay in --store.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.bench import describe_machine
from tiepoint.geometry.pair_verification import feature_vector
from tiepoint.io.progress import progress_bar
from tiepoint.io.versions import installed_versions
from tiepoint.presets import PRESETS
from verdict_evidence import Observation, observe
from verdict_fit import balanced, fit_logistic
from verdict_pairs import LabeledPair, labeled_pairs

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
NAME = "verdict.json"
FITTED = ("aliked+lightglue", "aliked+nearest")
"""One preset a kind of matcher; its coefficients hold for the others of that kind."""

TESTED = ("disk+lightglue", "aliked-t16+nearest")
"""Presets with the coefficients of another one."""

DIFFERENT = 200
"""Pairs of different places, in both halves together."""

EVERY = 3
"""Of the pairs of the test half, one in so many is matched with the presets of `TESTED`."""

QUICK = 12
DIGITS = 3


def main() -> None:
    """Match, fit, write the record, print the coefficients."""
    arguments = parse()
    pairs = labeled_pairs(arguments.data, DIFFERENT)
    observations = list(observe_all(pairs, arguments.store, quick=arguments.quick))
    models = {PRESETS[preset].matcher: fit(observations, preset) for preset in FITTED}
    models = {matcher: model for matcher, model in models.items() if model}
    write_record(arguments.records, record_of(observations, models))
    print(json.dumps(models))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder with pairs.jsonl")
    parser.add_argument(
        "--store", type=Path, default=ROOT / "build" / "verdict", help="where features and matches stay"
    )
    parser.add_argument(
        "--records", type=Path, default=ROOT / "benchmarks" / "records", help=f"folder for {NAME}"
    )
    parser.add_argument("--quick", action="store_true", help="few pairs: does it still work?")
    return parser.parse_args()


def observe_all(pairs: Sequence[LabeledPair], store: Path, *, quick: bool) -> Iterable[Observation]:
    """Both halves with the presets that are fitted, a part of the test half with the others."""
    if quick:
        yield from observe(FITTED[-1], pairs[:: len(pairs) // QUICK], store, progress_bar)
        return
    for preset in FITTED:
        yield from observe(preset, pairs, store, progress_bar)
    test = [labeled for labeled in pairs if labeled.half == "test"][::EVERY]
    for preset in TESTED:
        yield from observe(preset, test, store, progress_bar)


def fit(observations: Iterable[Observation], preset: str) -> list[float]:
    """Coefficients of one row of `MODELS`; none without pairs of both kinds."""
    chosen = [
        o for o in observations if o.preset == preset and o.labeled.half == "fit" and o.evidence.num_matches
    ]
    labels = np.array([o.labeled.same for o in chosen], dtype=bool)
    if not labels.any() or labels.all():
        return []
    values = np.array([feature_vector(o.evidence) for o in chosen])
    return [round(float(value), DIGITS) for value in fit_logistic(values, labels, balanced(labels))]


def record_of(observations: Sequence[Observation], models: dict[str, list[float]]) -> dict[str, Any]:
    """Everything that the page is made of, in columns; the fit can be done again from it."""
    names = list(dict.fromkeys(o.labeled.pair.name for o in observations))
    labeled = {o.labeled.pair.name: o.labeled for o in observations}
    groups = dict.fromkeys((o.preset, o.keypoints) for o in observations)
    return {
        "about": about(),
        "models": models,
        "pairs": {
            "name": names,
            "same": [labeled[name].same for name in names],
            "half": [labeled[name].half for name in names],
        },
        "observations": [
            {"preset": preset, "keypoints": keypoints}
            | columns_of([o for o in observations if (o.preset, o.keypoints) == (preset, keypoints)], names)
            for preset, keypoints in groups
        ],
    }


def columns_of(observations: Sequence[Observation], names: list[str]) -> dict[str, Any]:
    """Indices of pairs, and one list a number of the evidence."""
    rows = [asdict(o.evidence) for o in observations]
    return {"pairs": [names.index(o.labeled.pair.name) for o in observations]} | {
        name: [short(row[name]) for row in rows] for name in rows[0]
    }


def short(value: Any) -> Any:
    """Six digits are enough."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def about() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": asdict(describe_machine()),
        "versions": installed_versions(),
    }


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """One line a column, so that a change can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, separators=(",", ":")).replace('],"', '],\n"').replace('},"', '},\n"')
    (folder / NAME).write_text(text + "\n")


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record, where there is one."""
    path = folder / NAME
    return json.loads(path.read_text()) if path.exists() else None


if __name__ == "__main__":
    main()
