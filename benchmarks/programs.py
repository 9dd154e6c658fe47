"""Table of the benchmarks, and their command line: `python -m benchmarks TOPIC [PROGRAM] [options]`.

A program is a module `benchmarks.<topic>.<program>` with a docstring, `add_arguments(parser)` and `main(arguments)`.
Modules are imported when they run, because each needs other libraries.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType


@dataclass(frozen=True)
class Topic:
    """One topic of the benchmarks.

    Attributes:
        summary: One line for the list of topics.
        programs: Program -> one line about it; the first one is the default.
        hidden: Programs that other programs run in a new process.
    """

    summary: str
    programs: Mapping[str, str]
    hidden: tuple[str, ...] = ()


TOPICS = {
    "speed": Topic(
        "speed against other implementations",
        {
            "measure": "time matching, detection, whole pairs and the Hugging Face interface",
            "scaling": "measure time and memory against the number of keypoints, and batches",
            "xfeat": "time XFeat and LighterGlue against the authors' code",
            "runtime": "time exported bundles without PyTorch against the package",
            "attention": "time attention kernels (nothing is recorded)",
            "render": "render tables and plots into docs/results.md",
        },
        hidden=("single-match",),
    ),
    "accuracy": Topic(
        "accuracy of presets and baselines on all data sets",
        {
            "measure": "evaluate all methods on all data sets",
            "render": "render tables and plots into docs/results.md",
        },
    ),
    "latency": Topic(
        "time and accuracy within latency budgets",
        {
            "measure": "match pairs of all sets within budgets of 50 to 1000 ms",
            "render": "render table and plot into docs/results.md",
        },
    ),
    "summary": Topic(
        "accuracy against time of all presets, XFeat's own code, SIFT and ORB",
        {
            "measure": "match all pairs by all methods in one run",
            "timing": "time all methods on some pairs of each data set",
            "render": "render table and plot into docs/results.md",
        },
    ),
    "rotation": Topic(
        "correct matches against in-plane rotation",
        {
            "measure": "count correct matches of rotated pairs",
            "presets": "count those of presets without a search",
            "render": "render tables and plots into docs/results.md",
        },
    ),
    "views": Topic(
        "search over views: accuracy, decisions and times",
        {"measure": "match pairs as they are, and with a search (resumes)"},
    ),
    "prescreening": Topic(
        "prescreening of pairs: what survives, what is dropped, at which cost",
        {"measure": "prescreen and match pairs of the same and of different scenes (resumes)"},
    ),
    "verification": Topic(
        "pair verification: fit and test",
        {
            "measure": "fit the coefficients on one half of the scenes, record both halves",
            "render": "render table and plot into docs/results.md",
        },
    ),
    "precision": Topic(
        "precision of matches against their score: the calibration of min_precision",
        {
            "measure": "count correct matches above each score, fit one half of the scenes, record both halves",
            "render": "render table and plot into docs/explanation/scores.md",
        },
    ),
    "options": Topic(
        "accuracy and time of options: upscaling, adaptive inference",
        {
            "measure": "evaluate the variants of each option",
            "timing": "time the variants side by side",
            "normalization": "measure what OpenCV's normalization of keypoints costs",
            "render": "render tables into docs/results.md",
            "render-normalization": "render its table into docs/how-to/deploy.md",
        },
    ),
    "pairs": Topic(
        "pair selection for collections",
        {
            "measure": "measure the recall of image retrieval",
            "planning": "measure memory and time of planning large collections",
            "render": "render tables into docs/results.md",
        },
    ),
    "collection": Topic(
        "matching of whole collections",
        {
            "measure": "time all pairs of a folder, against other programs",
            "memory": "measure peak memory against the number of pairs",
            "render": "render tables into docs/results.md",
        },
    ),
    "reconstruction": Topic(
        "reconstructions from tiepoint matches and from SIFT",
        {
            "measure": "match, map and record all scenes",
            "render": "render the table into docs/results.md",
        },
    ),
    "registration": Topic(
        "registration error against ground-truth homographies",
        {
            "measure": "register all pairs with a homography",
            "render": "render the table into docs/how-to/register-images.md",
        },
    ),
    "tracking": Topic(
        "tracking through an image sequence",
        {
            "measure": "track, and compare with optical flow",
            "render": "render the table into docs/how-to/track-points.md",
        },
    ),
    "panorama": Topic(
        "panoramas of known rotations",
        {
            "measure": "stitch rendered views with tiepoint and with OpenCV's stitcher",
            "memory": "measure the peak memory of stitching 30 images of 12 megapixels",
            "render": "render the tables into docs/how-to/stitch-panoramas.md",
        },
    ),
    "adaptivity": Topic(
        "early stopping and pruning, layer by layer",
        {
            "measure": "record confidence, keypoints and matches after each layer",
            "render": "render plot and table into docs/explanation/adaptive-inference.md",
        },
    ),
    "viewer": Topic(
        "frame rate of the viewer",
        {"measure": "pan and zoom 5,000 matches in a browser with software rendering"},
    ),
    "app": Topic(
        "memory of the server of tiepoint app",
        {"measure": "match the sample pair 200 times, and record the memory of the process"},
    ),
    "training": Topic(
        "training on this machine",
        {
            "measure": "train and evaluate all recipes",
            "interpolation": "evaluate interpolated weights for the small preset",
            "small-preset": "write the weights of the small preset",
            "render": "render tables into docs/results.md",
        },
    ),
    "pictures": Topic(
        "pictures of the documentation",
        {
            "guide": "examples of visualizations",
            "viewer": "the viewer in a browser",
            "app": "the page of tiepoint app in a browser",
            "rotation": "example of the rotation search",
            "verification": "examples of pair verification",
            "registration": "a bent image, registered by a model and piecewise",
            "reconstruction": "a reconstruction with its cameras",
            "coordinates": "pixels, a keypoint, and the conventions of coordinates",
            "adaptivity": "keypoints by the layer that pruned them",
            "view": "the page of a collection in a browser",
            "panorama": "rendered views and their panorama",
        },
    ),
}


def run(words: Sequence[str]) -> None:
    """Run a program with its command-line options."""
    topic, program, options = split(words)
    module = load(topic, program)
    module.main(parser_of(topic, program, module).parse_args(options))


def split(words: Sequence[str]) -> tuple[str, str, Sequence[str]]:
    """Split the command line into topic, program (the topic's first one by default) and options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        usage="python -m benchmarks TOPIC [PROGRAM] [options]",
        description="Benchmarks of tiepoint. `python -m benchmarks TOPIC --help` shows the options of a topic.",
        epilog="\n".join(["topics:", *(f"  {name:16}{topic.summary}" for name, topic in TOPICS.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("topic", metavar="TOPIC", choices=TOPICS, help="one of the topics below")
    name = parser.parse_args(words[:1]).topic
    topic, rest = TOPICS[name], words[1:]
    if rest and not rest[0].startswith("-"):
        if rest[0] not in (*topic.programs, *topic.hidden):
            parser.error(f"unknown program {rest[0]!r} of {name}; available: {', '.join(topic.programs)}")
        return name, rest[0], rest[1:]
    return name, next(iter(topic.programs)), rest


def load(topic: str, program: str) -> ModuleType:
    """Import the module of a program."""
    return import_module(f"benchmarks.{topic}.{program.replace('-', '_')}")


def parser_of(topic: str, program: str, module: ModuleType) -> argparse.ArgumentParser:
    """Create the parser of a program's options; its help shows the other programs of the topic."""
    programs = TOPICS[topic].programs
    default = next(iter(programs))
    lines = [f"  {name:16}{text}{' (default)' if name == default else ''}" for name, text in programs.items()]
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks {topic}" + ("" if program == default else f" {program}"),
        description=module.__doc__,
        epilog="\n".join([f"programs of {topic}:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser
