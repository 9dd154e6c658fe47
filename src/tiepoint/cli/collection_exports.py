"""`tiepoint collection export OUT` and `tiepoint collection view OUT`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tiepoint.cli.options import QuietOption, set_up_logging
from tiepoint.cli.problems import finishing

OutArgument = Annotated[Path, typer.Argument(help="Output folder of a collection.", show_default=False)]


class Form(StrEnum):
    """What matches can be written as; the rows of `tiepoint.collection.export.formats.EXPORTS`."""

    COLMAP = "colmap"
    COLMAP_TEXT = "colmap-text"
    HLOC = "hloc"
    NPZ = "npz"
    PARQUET = "parquet"


class Cameras(StrEnum):
    """Who shares a camera."""

    SHARED = "shared"
    EACH = "each"


CamerasOption = Annotated[
    Cameras,
    typer.Option(
        help="colmap: photographs of a folder with the same size and EXIF focal length share a camera, or each has its own."
    ),
]


def export(
    out: OutArgument,
    to: Annotated[list[Form], typer.Option(help="Format; may be given several times.")] = [Form.COLMAP],  # noqa: B006
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File or folder; by default in OUT.", show_default=False),
    ] = None,
    cameras: CamerasOption = Cameras.SHARED,
    quiet: QuietOption = False,
) -> None:
    """Write features and matches for other programs: COLMAP, hloc, NumPy, Parquet.

    Exits with 1 when OUT lacks something that its last run was asked for, after all that is there is written.

    Example: tiepoint collection export out/ --to colmap --to parquet
    """
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.export.formats import export_as
    from tiepoint.errors import InvalidInput

    set_up_logging(quiet=quiet)
    if output is not None and len(to) > 1:
        raise InvalidInput(
            f"-o names one file or folder, but {len(to)} formats were asked for; ask one by one"
        )
    with finishing() as problems:
        collection = open_collection(out, tell=problems.append)
        for form in to:
            options = {"cameras": cameras.value} if form is Form.COLMAP else {}
            path = export_as(collection, form.value, output, **options)
            if not quiet:
                typer.echo(f"{form.value}: {path}")


def view(
    out: OutArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The page; by default OUT/view.html.", show_default=False),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Write one HTML page with everything in it: the model in 3-D, the match graph, a table of photographs.

    Exits with 1 as `export` does.

    Example: tiepoint collection view out/
    """
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.report.html_view import write_html_view

    set_up_logging(quiet=quiet)
    with finishing() as problems:
        path = write_html_view(open_collection(out, tell=problems.append), output)
        if not quiet:
            typer.echo(f"page: {path}")
