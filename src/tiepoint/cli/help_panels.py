"""Panels of the help: the options of all commands by topic and the commands by task, common ones first."""

from collections.abc import Iterable
from typing import Any

COMMON = "Common options"
OTHER = "Other options"

OPTION_PANELS: dict[str, tuple[str, ...]] = {
    COMMON: (
        *("--to", "--output", "--json", "--npz", "--report", "--html", "--video", "--overlay"),
        *(
            "--preset",
            "--recipe",
            "--protocol",
            "--minutes",
            "--resume",
            "--pairs",
            "--top",
            "--limit",
            "--runs",
        ),
        *("--max-keypoints", "--resize", "--tune", "--self-test", "--all", "--colmap", "--reconstruct"),
        *(
            "--verify",
            "--executor",
            "--images",
            "--workers",
            "--interval",
            "--once",
            "--fail-on-no-match",
            "--version",
            "--verbose",
            "--quiet",
        ),
        *("--host", "--port", "--root"),
        *("--install-completion", "--show-completion"),
    ),
    "Images": ("--upscale", "--stretch", "--mask", "--mask0", "--mask1", "--border", "--tile", "--warps"),
    "Matching": (
        *(
            "--threshold",
            "--min-precision",
            "--views",
            "--prescreen",
            "--num-images",
            "--min-tracked",
            "--adaptive",
            "--pruning-min-keypoints",
        ),
        *("--max-layers", "--latency-budget-ms"),
    ),
    "Registration and panoramas": (
        *(
            "--projection",
            "--model",
            "--piecewise",
            "--crop",
            "--exposure",
            "--max-output-megapixels",
            "--interpolation",
            "--nodata",
            "--bands",
            "--fixed-bands",
            "--mask-output",
        ),
        *("--control-points", "--force"),
    ),
    "Geometry": (
        *("--max-error-px", "--intrinsics", "--focal", "--cameras", "--poses", "--refine-poses"),
        *("--use-priors", "--refine-keypoints", "--mapper", "--mapper-option"),
    ),
    "Drawing": ("--max-lines", "--keypoints", "--mode", "--rate"),
    "Video input": ("--live", "--max-frames", "--max-seconds", "--input-option"),
    "Network": ("--extractor", "--init", "--teacher", "--layers", "--width", "--heads", "--lora"),
    "Training data": (
        "--features",
        "--val",
        "--depth-maps",
        "--max-angle",
        "--collection",
        "--warp-fraction",
    ),
    "Optimization": ("--batch-size", "--accumulate", "--learning-rate", "--gradient-checkpointing", "--seed"),
    "Storage and logs": ("--cache", "--store", "--stores", "--tensorboard"),
    "Bundle": ("--form", "--precision", "--portable", "--image-size", "--image"),
    "Server": ("--allowed-host", "--allow-local-urls", "--max-upload-mb"),
    "Machine and weights": (
        *("--device", "--threads", "--matcher-weights", "--extractor-weights", "--accept-license", "--kind"),
    ),
}
"""Panel -> its options; panels and options are shown in this order."""

COMMAND_PANELS: dict[str, tuple[str, ...]] = {
    "Two images": ("match", "pose", "register"),
    "Many images": ("find", "stitch", "track", "collection", "localize"),
    "Train and measure": ("train", "warps", "eval", "bench"),
    "Deploy": ("app", "export"),
    "Set up and check": ("demo", "presets", "weights", "doctor"),
}
"""Panel -> commands of `tiepoint`; other groups have one panel."""

_POSITIONS = {
    option: position for position, option in enumerate(sum(OPTION_PANELS.values(), ()))
}  # option -> position in the help
_PANELS = {option: panel for panel, options in OPTION_PANELS.items() for option in options}


def option_name(parameter: Any) -> str:
    """Return the long name of an option, such as "--max-keypoints"."""
    return max(parameter.opts, key=len)


def group_options(parameters: Iterable[Any]) -> dict[str, list[Any]]:
    """Group the options of a command by panel; `--help` is the last one of the first panel.

    Args:
        parameters: Options of the command.

    Returns:
        Panel -> options, in the order of the help. One panel alone is named "Options".
    """
    ordered = sorted(parameters, key=lambda each: _POSITIONS.get(option_name(each), len(_POSITIONS)))
    panels: dict[str, list[Any]] = {}
    for parameter in ordered:
        if parameter.name != "help":
            panels.setdefault(_PANELS.get(option_name(parameter), OTHER), []).append(parameter)
    in_order = {panel: panels[panel] for panel in (*OPTION_PANELS, OTHER) if panel in panels}
    first = next(iter(in_order), "Options")
    in_order.setdefault(first, []).extend(each for each in ordered if each.name == "help")
    return {"Options": in_order[first]} if len(in_order) == 1 else in_order


def group_commands(names: Iterable[str]) -> dict[str, list[str]]:
    """Group the commands of a group by panel; without panels of its own, a group has the panel "Commands"."""
    left = list(names)
    panels = {panel: [name for name in known if name in left] for panel, known in COMMAND_PANELS.items()}
    if not all(panels.values()):
        return {"Commands": left}
    others = [name for name in left if not any(name in known for known in panels.values())]
    return panels | ({"Other commands": others} if others else {})
