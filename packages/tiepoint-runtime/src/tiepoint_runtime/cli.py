"""`tiepoint-runtime match BUNDLE A B`.

Exit status: 0, 1 with one line on stderr, 2 for wrong usage.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence

import tiepoint_runtime
from tiepoint.errors import TiepointError
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.serialization import check_output_path
from tiepoint_runtime.result import MatchResult

ADAPTIVE = {"on": True, "off": False, "depth": "depth", "width": "width"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        arguments: Arguments of the command; None for those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        _match(options)
        sys.stdout.flush()
    except TiepointError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted")
        return 130
    except OSError as error:  # stdout cannot be written
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - Python flushes again at exit
        return _fail(f"cannot write the output: {error.strerror or error}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tiepoint-runtime", description="Match images with a bundle of tiepoint export, without PyTorch."
    )
    parser.add_argument(
        "--version", action="version", version=f"tiepoint-runtime {tiepoint_runtime.__version__}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    match = commands.add_parser(
        "match",
        help="Find matching points (tie points) of two images.",
        description="Find matching points (tie points) of two images.",
        epilog="Example: tiepoint-runtime match bundle a.jpg b.jpg -o matches.json",
    )
    match.add_argument("bundle", help="Folder written by tiepoint export.")
    match.add_argument("image0", help="Path or URL of image 0.")
    match.add_argument("image1", help="Path or URL of image 1.")
    match.add_argument(
        "-o", "--output", metavar="FILE", help="Write the matches to this file (.json or .npz)."
    )
    match.add_argument("--json", action="store_true", help="Write the matches to stdout as JSON.")
    match.add_argument(
        "--max-keypoints", type=int, metavar="N", help="Maximum number of keypoints per image."
    )
    match.add_argument(
        "--adaptive",
        choices=ADAPTIVE,
        default="on",
        help="Early stopping (depth) and keypoint pruning (width).",
    )
    match.add_argument(
        "--max-layers", type=int, metavar="N", help="Maximum number of LightGlue's layers to run."
    )
    match.add_argument("--threads", type=int, metavar="N", help="Number of CPU threads.")
    return parser


def _match(options: argparse.Namespace) -> None:
    if options.output is not None:
        check_overwrites([options.output], [options.image0, options.image1])
        check_output_path(options.output)
    matcher = tiepoint_runtime.Matcher.load(
        options.bundle,
        max_keypoints=options.max_keypoints,
        adaptive=ADAPTIVE[options.adaptive],
        max_layers=options.max_layers,
        threads=options.threads,
    )
    result = matcher.match(options.image0, options.image1)
    if options.output is not None:
        result.save(options.output)
    print(_summary(result), file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps(result.to_dict()))


def _summary(result: MatchResult) -> str:
    stages = "   ".join(f"{stage} {value:.2f} s" for stage, value in result.seconds.items())
    counts = f"{len(result.features0)} and {len(result.features1)} keypoints"
    return f"{len(result)} matches   {counts}   {result.layers_run} layers\n{stages}"


def _fail(message: str) -> int:
    print(f"tiepoint-runtime: {message}", file=sys.stderr)
    return 1
