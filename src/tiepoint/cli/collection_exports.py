"""`tiepoint collection export OUT` and `tiepoint collection view OUT`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tiepoint.cli.options import QuietOption, set_up_logging
from tiepoint.cli.problems import finishing

OutArgument = Annotated[Path, typer.Argument(help="Output folder of a collection.", show_default=False)]


class Format(StrEnum):
    """Export formats; the rows of `tiepoint.collection.export.formats.EXPORTS`."""

    COLMAP = "colmap"
    COLMAP_TEXT = "colmap-text"
    HLOC = "hloc"
    NPZ = "npz"
    PARQUET = "parquet"
    OPENSFM = "opensfm"
    NERFSTUDIO = "nerfstudio"
    BUNDLER = "bundler"
    METASHAPE = "metashape"
    OPENMVG = "openmvg"
    ALICEVISION = "alicevision"
    PLY = "ply"
    GEOJSON = "geojson"
    KML = "kml"


FORMATS = ", ".join(Format)


class Cameras(StrEnum):
    """Camera sharing."""

    SHARED = "shared"
    EACH = "each"


CamerasOption = Annotated[
    Cameras,
    typer.Option(
        help="COLMAP only: one camera per folder, image size and EXIF focal length (shared), or per image (each)."
    ),
]


def export(
    out: OutArgument,
    to: Annotated[
        list[Format], typer.Option(metavar="FORMAT", help=f"Format: {FORMATS}. May be repeated.")
    ] = [Format.COLMAP],  # noqa: B006
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Output file or folder.", show_default="in OUT"),
    ] = None,
    cameras: CamerasOption = Cameras.SHARED,
    quiet: QuietOption = False,
) -> None:
    """Export features and matches, or the reconstruction, to the files of other programs.

    Exits with status 1 if the collection is incomplete, after everything else is written.

    nerfstudio, bundler, metashape, openmvg, alicevision and ply need a reconstruction, geojson and kml GPS positions.

    Example: tiepoint collection export out/ --to colmap --to nerfstudio
    """
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.export.formats import export_as
    from tiepoint.errors import InvalidInput

    set_up_logging(quiet=quiet)
    if output is not None and len(to) > 1:
        raise InvalidInput(f"--output takes one format, got {len(to)}; export the formats one by one")
    with finishing() as problems:
        collection = open_collection(out, on_warning=problems.append)
        for name in to:
            path = export_as(
                collection, name.value, output, cameras=cameras.value if name is Format.COLMAP else None
            )
            if not quiet:
                typer.echo(f"{name.value}: {path}")


def export_all(out: Path, formats: list[Format], problems: list[str], *, quiet: bool) -> None:
    """Export a collection that was just run; a format that cannot be written is a problem, and the next one follows.

    Args:
        out: Output folder of the collection.
        formats: Formats to write.
        problems: List to which problems are appended.
        quiet: Whether to print nothing.
    """
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.export.formats import export_as
    from tiepoint.errors import InvalidInput

    if not formats:
        return
    collection = open_collection(out, on_warning=lambda _: None)
    for name in formats:
        try:
            path = export_as(collection, name.value)
        except InvalidInput as error:
            problems.append(f"{name.value}: {error}")
            continue
        if not quiet:
            typer.echo(f"{name.value}: {path}")


def view(
    out: OutArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Output HTML file.", show_default="OUT/view.html"),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Write a self-contained HTML page: the model in 3D, the match graph, a table of the images.

    Exits with status 1 if the collection is incomplete.

    Example: tiepoint collection view out/
    """
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.report.html_view import write_html_view

    set_up_logging(quiet=quiet)
    with finishing() as problems:
        path = write_html_view(open_collection(out, on_warning=problems.append), output)
        if not quiet:
            typer.echo(f"page: {path}")
