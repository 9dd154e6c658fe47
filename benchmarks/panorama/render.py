"""Update the tables of docs/how-to/stitch-panoramas.md from benchmarks/records/panorama.json."""

import argparse
from collections.abc import Iterator

from benchmarks.pages import add_page_arguments, origin, render, require_record, table
from benchmarks.panorama.measure import RECORD
from benchmarks.paths import DOCS
from benchmarks.records import Record

PAGE = DOCS / "how-to" / "stitch-panoramas.md"
COMMAND = "python -m benchmarks panorama"
HEADS = (
    "views",
    "by",
    "used",
    "rotation error",
    "residual",
    "PSNR",
    "PSNR of overlaps",
    "PSNR at the ends",
)
NAMES = {"tiepoint": "tiepoint", "opencv": "cv2.Stitcher"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_page_arguments(parser, PAGE)


def main(arguments: argparse.Namespace) -> None:
    """Update the page."""
    record = require_record(arguments.records, RECORD, COMMAND)
    render(arguments, "panorama", paragraphs(record), command=f"{COMMAND} render")


def paragraphs(record: Record) -> Iterator[str]:
    """Yield what was measured, the table, and the peak memory."""
    if record.get("rows"):
        yield from accuracy(record)
    if record.get("memory"):
        yield memory_sentence(record["memory"])


def accuracy(record: Record) -> Iterator[str]:
    """Yield how views were stitched, and the table of both methods."""
    width, height = record["image_size"]
    yield (
        f"Views of {width} x {height} px of a rendered street, in shuffled order, by the preset `{record['preset']}`, next to "
        "OpenCV's stitcher on the same images. Rotation errors are medians after the best common rotation, residuals are "
        "medians of where the cameras map points of overlapping views; the PSNR is that against the rendered street, over "
        "all pixels, where views overlap, and within 32 columns of both ends of a full circle. "
        f"{origin(record, runs=False)}"
    )
    yield table(HEADS, [cells for row in record["rows"] for cells in rows_of(row)])


def rows_of(row: Record) -> Iterator[list[str]]:
    """Yield the cells of both methods for one case."""
    for key, name in NAMES.items():
        found = row[key]
        cells = [row["case"] if key == "tiepoint" else "", name, f"{found['images']} of {row['views']}"]
        if "residual_px" not in found:
            yield [*cells, *["–"] * 5]
            continue
        psnrs = [found.get(f"psnr{part}_db") for part in ("", "_overlap", "_ends")]
        yield [
            *cells,
            f"{found['rotation_error_deg']['median']:.3f}°",
            f"{found['residual_px']['median']:.2f} px",
            *("–" if value is None else f"{value:.1f} dB" for value in psnrs),
        ]


def memory_sentence(memory: Record) -> str:
    """Return the peak memory of many large images."""
    width, height = memory["image_size"]
    panorama = memory["panorama_size"][0] * memory["panorama_size"][1] / 1e6
    return (
        f"{memory['views']} views of {width} x {height} px became a panorama of {panorama:.0f} megapixels in "
        f"{memory['peak_memory_mb'] / 1024:.1f} GiB at most, the preset `{memory['preset']}` and its libraries included. "
        f"{origin(memory, runs=False, versions=False)}"
    )
