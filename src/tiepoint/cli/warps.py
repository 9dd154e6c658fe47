"""`tiepoint warps IMAGES OUT`."""

from pathlib import Path
from typing import Annotated

import typer

from tiepoint.cli.completion import RECIPES, complete_from
from tiepoint.cli.flags import print_problem
from tiepoint.cli.options import QuietOption, StretchOption, parse_stretch, set_up_logging
from tiepoint.cli.train import RECIPE_DEFAULT, given


def warps(
    images: Annotated[Path, typer.Argument(help="Folder of images.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="Output folder.", show_default=False)],
    recipe: Annotated[
        str,
        typer.Option(
            help="Recipe of 'tiepoint train' whose warps are written.", autocompletion=complete_from(*RECIPES)
        ),
    ] = "homography",
    warps: Annotated[
        int | None,
        typer.Option(min=2, help="Homographic warps per image.", show_default=RECIPE_DEFAULT),
    ] = None,
    resize: Annotated[
        int | None,
        typer.Option(min=64, help="Image size (longer side, px).", show_default=RECIPE_DEFAULT),
    ] = None,
    max_angle: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=180,
            help="Maximum in-plane rotation of a warp in both directions (degrees).",
            show_default=RECIPE_DEFAULT,
        ),
    ] = None,
    stretch: StretchOption = "none",
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Write homographic warps of images, to extract training features with another program.

    Extract the features of OUT with any program; 'tiepoint train' takes both.

    Example: tiepoint warps photos/ warps/
    """
    from tiepoint.io.progress import no_progress, progress_bar
    from tiepoint.training.config import TrainConfig
    from tiepoint.training.data.warp_files import write_warps
    from tiepoint.training.data.warp_list import WARPS

    set_up_logging(quiet=quiet)
    homography = given(max_angle_deg=max_angle)
    values = given(per_image=warps, resize=resize, seed=seed, homography=homography)
    config = TrainConfig.from_recipe(recipe, data={"warps": values}).data.warps
    problems = write_warps(
        images,
        out,
        config,
        stretch=parse_stretch(stretch),
        progress=no_progress if quiet else progress_bar,
    )
    for line in problems:
        print_problem(line)
    if not quiet:
        typer.echo(f"wrote warps and {WARPS} to {out}")
