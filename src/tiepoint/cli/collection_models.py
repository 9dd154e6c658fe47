"""Options of `tiepoint collection run` for the reconstruction, and its output."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tiepoint.collection.sfm.reconstruction import Reconstruction


class MapperName(StrEnum):
    """COLMAP's mapper."""

    INCREMENTAL = "incremental"
    GLOBAL = "global"


MapperOption = Annotated[
    MapperName, typer.Option(help="COLMAP's mapper: incremental, or global (all poses at once).")
]
MapperOptionOption = Annotated[
    list[str],
    typer.Option(
        metavar="NAME=VALUE",
        help="Option of COLMAP's mapper (pycolmap.IncrementalPipelineOptions), such as init_min_tri_angle=4; may be "
        "repeated.",
    ),
]
IntrinsicsOption = Annotated[
    str | None,
    typer.Option(
        metavar="K.txt|f,cx,cy",
        help="Known intrinsics of all images in px, which are not refined: text file or numbers.",
        show_default="EXIF focal length, refined",
    ),
]
PosesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Known poses: transforms.json, COLMAP's images.txt, or the folder of a model.",
        show_default="estimated",
    ),
]
RefineOption = Annotated[bool, typer.Option("--refine-poses", help="Refine the known poses.")]
KeypointsOption = Annotated[
    bool,
    typer.Option(
        "--refine-keypoints", help="Refine keypoints at full resolution along their tracks; more accurate."
    ),
]
PriorsOption = Annotated[
    bool,
    typer.Option("--use-priors", help="Use GPS positions in bundle adjustment; the model is in meters."),
]


@dataclass(frozen=True, slots=True)
class MappingFlags:
    """Options of the reconstruction as they were given."""

    cameras: str
    mapper: str
    mapper_option: list[str]
    intrinsics: str | None
    poses: Path | None
    refine_poses: bool
    use_priors: bool
    refine_keypoints: bool


def parse_mapping(flags: MappingFlags, *, colmap: bool, reconstruct: bool) -> dict[str, Any]:
    """Return keyword arguments of `reconstruct`; options are checked before any work starts.

    Args:
        flags: Options as they were given.
        colmap: Whether a database is written.
        reconstruct: Whether the mapper runs.

    Raises:
        InvalidInput: If an option is invalid, or needs `--reconstruct`.
    """
    from tiepoint.errors import InvalidInput

    given = _given(flags)
    if given and not reconstruct:
        raise InvalidInput(f"{given[0]} requires --reconstruct")
    if flags.cameras != "shared" and not (colmap or reconstruct):
        raise InvalidInput(f"--cameras {flags.cameras} requires --colmap or --reconstruct")
    return {"cameras": flags.cameras} | (_mapping_options(flags) if given else {})


def _given(flags: MappingFlags) -> list[str]:
    values = {
        "--mapper-option": bool(flags.mapper_option),
        "--mapper": flags.mapper != MapperName.INCREMENTAL,
        "--intrinsics": flags.intrinsics is not None,
        "--poses": flags.poses is not None,
        "--refine-poses": flags.refine_poses,
        "--use-priors": flags.use_priors,
        "--refine-keypoints": flags.refine_keypoints,
    }
    return [name for name, is_given in values.items() if is_given]


def _mapping_options(flags: MappingFlags) -> dict[str, Any]:
    from tiepoint.collection.sfm.mapper_options import parse_mapper_options
    from tiepoint.collection.sfm.mapping import MappingOptions
    from tiepoint.geometry.intrinsics import parse_intrinsics

    mapper: Any = flags.mapper
    options: dict[str, Any] = {
        "mapper": mapper,
        "mapper_options": parse_mapper_options(flags.mapper_option, mapper),
        "intrinsics": None if flags.intrinsics is None else parse_intrinsics(flags.intrinsics, None),
        "poses": flags.poses,
        "refine_poses": flags.refine_poses,
        "use_priors": flags.use_priors,
        "refine_keypoints": flags.refine_keypoints,
    }
    MappingOptions(**options)
    return options


def export_or_reconstruct(
    out: Path, problems: list[str], mapping: dict[str, Any], *, reconstruct: bool, quiet: bool
) -> None:
    """Write COLMAP's database, or reconstruct, which writes it as well.

    Args:
        out: Output folder of the collection.
        problems: List to which problems are appended.
        mapping: Keyword arguments of `reconstruct`.
        reconstruct: Whether to reconstruct.
        quiet: Whether to print nothing.
    """
    from tiepoint.collection.collection import open_collection
    from tiepoint.collection.export.formats import export_as
    from tiepoint.collection.sfm.reconstruction import reconstruct as run_mapper

    collection = open_collection(out, on_warning=problems.append)
    if reconstruct:
        print_model(run_mapper(collection, **mapping), problems, quiet=quiet)
        return
    path = export_as(collection, "colmap", cameras=mapping["cameras"])
    if not quiet:
        typer.echo(f"database: {path}")


def print_model(model: "Reconstruction", problems: list[str], *, quiet: bool) -> None:
    """Print the summary of a model; images that are not registered are problems.

    Args:
        model: Summary of the reconstruction.
        problems: List to which problems are appended.
        quiet: Whether to print nothing.
    """
    if not model.success:
        problems.append(f"no model: {model.reason}")
        return
    if not quiet:
        if len(model.attempts) > 1:
            others = len(model.attempts) - 1
            typer.echo(f"initialization: {model.initialization}, after {others} other attempts")
        typer.echo(
            f"model: {model.folder}, {model.registered} of {model.images} images, {model.points:,} points, mean track "
            f"length {model.mean_track_length:.1f}, mean reprojection error {model.mean_reprojection_error_px:.2f} px"
        )
    problems += [f"{name} is not registered in the model" for name in model.unregistered]
