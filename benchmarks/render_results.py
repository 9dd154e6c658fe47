"""Write the tables of docs/results.md from the records of benchmarks/records; nobody types a number into a table.

.venv/bin/python benchmarks/render_results.py           # rewrite the page
.venv/bin/python benchmarks/render_results.py --check   # exit 1 if the page isn't what the records say
"""

import json
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"


def main() -> None:
    """Replace what stands between the marks."""
    page = PAGE.read_text()
    record = json.loads((ROOT / "benchmarks" / "records" / "speed.json").read_text())
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    rendered = f"{before}{BEGIN}\n{speed_table(record)}\n{END}{after}"
    if "--check" in sys.argv:
        sys.exit(
            0
            if rendered == page
            else "docs/results.md is older than its records; run benchmarks/render_results.py"
        )
    PAGE.write_text(rendered)


def speed_table(record: dict) -> str:
    """One row a case."""
    about = record["about"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        f"`{about['command']}`, {about['date']}, {about['processor']}, {about['threads']} threads, medians of "
        f"{about['runs']} alternating runs; {versions}.",
        "",
        "| work | tiepoint, s | reference, s | times as fast | quartiles of the ratio |",
        "|---|---|---|---|---|",
    ]
    for timing in record["timings"]:
        low, high = timing["ratio_quartiles"]
        ours, reference = statistics.median(timing["ours"]), statistics.median(timing["reference"])
        lines.append(
            f"| {timing['name']} | {ours:.3f} | {reference:.3f} | {timing['ratio']:.2f} | {low:.2f} to {high:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
