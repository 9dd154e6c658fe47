"""Write the tables and plots of docs/results.md from benchmarks/records; nobody types a number into a table.

    .venv/bin/python benchmarks/render_results.py           # rewrite the page's part about speed, and its pictures
    .venv/bin/python benchmarks/render_results.py --check   # exit 1 if the page isn't what the records say

With --page a page of its own is written, if there is none yet.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from limits import LeastWork, Rates
from pages import parse, render, table
from tiepoint.bench import Seconds
from timing import OURS, ratios, strangers

CELLS = (
    "Seconds are medians; behind a peer's stands how many times as long as tiepoint it takes: median and quartiles of "
    "that ratio over the runs."
)

Record = dict[str, Any]
Timing = dict[str, Any]


def main() -> None:
    """Replace what stands between the marks."""
    arguments = parse(__doc__)
    speed, growth = (read(arguments.records, name) for name in ("speed.json", "growth.json"))

    def draw(folder: Path) -> None:
        from plots import save_plots  # --check needs no matplotlib

        save_plots(growth, folder)

    render(arguments, "speed", sections(speed, growth), again="make bench", draw=draw if growth else None)


def read(folder: Path, name: str) -> Record | None:
    """A record, where there is one."""
    path = folder / name
    return json.loads(path.read_text()) if path.exists() else None


def sections(speed: Record | None, growth: Record | None) -> Iterator[str]:
    """Everything that stands between the marks, piece by piece."""
    if speed:
        yield from speed_sections(speed)
    if growth:
        yield from growth_sections(growth)


def speed_sections(record: Record) -> Iterator[str]:
    """What was run, one table a group, and the limits."""
    yield f"{origin(record)} {CELLS}"
    for group in dict.fromkeys(timing["group"] for timing in record["timings"]):
        timings = [timing for timing in record["timings"] if timing["group"] == group]
        yield f"### {group[0].upper()}{group[1:]}"
        yield contestants_table(timings)
        limited = [timing for timing in timings if "least" in timing["facts"]]
        if limited:
            yield from limit_sections(limited)


def growth_sections(record: Record) -> Iterator[str]:
    """Pictures, and the numbers behind them."""
    yield "### Time and memory against keypoints"
    yield f"{origin(record)} All layers, random pairs, a fresh process each."
    yield "![Seconds and memory against keypoints](images/growth.png)"
    yield growth_table(record["growth"])
    yield "### Batches"
    pairs = {batch["facts"]["keypoints"]: batch["facts"]["pairs"] for batch in record["batches"]}
    of = ", ".join(f"{number} pairs of {keypoints} keypoints" for keypoints, number in pairs.items())
    yield f"Pairs a second: {of}; easy and hard photographs in turn."
    yield "![Pairs a second against batch size](images/batches.png)"
    yield batches_table(record["batches"])


def origin(record: Record) -> str:
    """The command, day, machine and versions."""
    about, machine = record["about"], record["about"]["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"`{about['command']}`, {about['date']}, {machine['processor']}, threads: {machine['threads']}, "
        f"runs: {about['runs']}; {versions}."
    )


def contestants_table(timings: Sequence[Timing]) -> str:
    """One row a case, one column a contestant."""
    peers = list(dict.fromkeys(name for t in timings for name in t["seconds"] if name != OURS))
    rows = [[t["name"], f"{median(t, OURS):.3f}", *(peer_cell(t, peer) for peer in peers)] for t in timings]
    return table(["work", f"{OURS}, s", *(f"{peer}, s" for peer in peers)], rows)


def peer_cell(timing: Timing, peer: str) -> str:
    """Seconds and ratio, or a dash where the peer stayed away."""
    if peer not in timing["seconds"]:
        return "–"
    ratio = ratios(timing["seconds"][OURS], timing["seconds"][peer])
    low, high = ratio.quartiles
    times = f"**× {ratio.median:.2f}** ({low:.2f} to {high:.2f})"
    found = strangers(timing["found"]).get(peer)
    other_work = "" if found is None else f", finds {found} instead of {timing['found'][OURS]}"
    return f"{median(timing, peer):.3f}, {times}{other_work}"


def limit_sections(timings: Sequence[Timing]) -> Iterator[str]:
    """How far from the best that the machine can do."""
    yield (
        "The limit is the time of the least matrix products at the rate of a 2048 x 2048 product, plus that of one "
        "exponential a similarity at the best rate of `torch.exp`; rates are measured in every run, "
        "and the best counts (`benchmarks/limits.py`). Bytes are those that torch's operations read and write."
    )
    moved = list(timings[0]["facts"]["bytes_moved"])
    heads = ("keypoints", "GFLOP", "at GFLOP/s", "10⁹ exp", "at 10⁹/s", "limit, s", f"{OURS}, s")
    shares = ("limit / time", "of the GEMM rate", "copies, GB/s")
    yield table([*heads, *shares, *(f"{name}, GB" for name in moved)], [limit_row(t, moved) for t in timings])


def limit_row(timing: Timing, moved: Sequence[str]) -> list[str]:
    """One number of keypoints."""
    work, rates = LeastWork(**timing["facts"]["least"]), best_rates(timing)
    limit, seconds = work.seconds(rates), median(timing, OURS)
    return [
        str(timing["facts"]["keypoints"]),
        f"{work.gemm_flop / 1e9:.0f}",
        f"{rates.gemm_gflops:.0f}",
        f"{work.exponentials / 1e9:.2f}",
        f"{rates.exponentials_per_second / 1e9:.2f}",
        f"{limit:.3f}",
        f"{seconds:.3f}",
        f"**{limit / seconds:.0%}**",
        f"{work.gemm_flop / seconds / 1e9 / rates.gemm_gflops:.0%}",
        f"{rates.copied_gb_per_second:.0f}",
        *(gigabytes(timing["facts"]["bytes_moved"].get(name)) for name in moved),
    ]


def best_rates(timing: Timing) -> Rates:
    """The best of each rate over the runs: other programs can only make it worse."""
    names = timing["rates"][0]
    return Rates(**{name: max(rates[name] for rates in timing["rates"]) for name in names})


def gigabytes(count: int | None) -> str:
    """Bytes as GB, or a dash."""
    return "–" if count is None else f"{count / 1e9:.1f}"


def growth_table(measured: Sequence[Record]) -> str:
    """One row a number of keypoints: seconds and MiB of every library."""
    libraries = list(dict.fromkeys(row["library"] for row in measured))
    cells = {
        (
            row["library"],
            row["keypoints"],
        ): f"{row['seconds']:.2f} s, {row['bytes_above_model'] / 2**20:.0f} MiB"
        for row in measured
    }
    counts = sorted({row["keypoints"] for row in measured})
    rows = [[f"{count:,}", *(cells.get((library, count), "–") for library in libraries)] for count in counts]
    return table(["keypoints", *libraries], rows)


def batches_table(timings: Sequence[Timing]) -> str:
    """One row a batch: pairs a second of every contestant."""
    names = list(dict.fromkeys(name for timing in timings for name in timing["seconds"]))
    rows = [
        [
            t["name"],
            *(
                f"{t['facts']['pairs'] / median(t, name):.2f}" if name in t["seconds"] else "–"
                for name in names
            ),
        ]
        for t in timings
    ]
    return table(["batch", *names], rows)


def median(timing: Timing, contestant: str) -> float:
    """Of the seconds of one contestant."""
    return Seconds(tuple(timing["seconds"][contestant])).median


if __name__ == "__main__":
    main()
