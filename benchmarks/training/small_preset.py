"""Write the weights of the preset `aliked+lightglue-small` from part d of the training benchmark, and their record.

    python -m benchmarks training small-preset    # then put the printed digest into src/tiepoint/weights/table.py

Training on homographic warps makes the published layers better on such pairs, and worse on pairs with larger differences
(docs/log.md). So the weights of the preset are interpolated between the published and the trained ones.
Source: Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv 2109.01903.

The weights of the extractor are not ours and not included: the file contains only LightGlue, under its official names.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.paths import BUILD, ROOT
from tiepoint.io.hashing import file_digest
from tiepoint.models.lightglue.recognition import build
from tiepoint.presets import MODEL, TRAINING
from tiepoint.weights import load_state_dict

PRETRAINED = ROOT / "src" / "tiepoint" / "weights" / "pretrained"
TRAINED = BUILD / "training" / "d"
NAME = "aliked_lightglue_small"
TRAINED_FRACTION = 0.25
"""Fraction of the trained weights in the interpolation; interpolation.py evaluates others."""

METADATA = {"format": "pt", "license": "Apache-2.0", "record": f"{NAME}.json"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trained", type=Path, default=TRAINED, help="Folder of the trained matcher.")


def main(arguments: argparse.Namespace) -> None:
    """Write weights and record, and print the digest."""
    folder = arguments.trained
    trained = build(load_state_dict(folder / MODEL))
    published = build(load_state_dict("aliked_lightglue")).truncated(trained.shape.layers)
    weights = interpolate(published.state_dict(), trained.state_dict(), TRAINED_FRACTION)
    path = PRETRAINED / f"{NAME}.safetensors"
    save_file(weights, path, metadata=METADATA)
    path.chmod(0o644)
    training = json.loads((folder / TRAINING).read_text())
    record = {"share_of_trained_weights": TRAINED_FRACTION, "training": training}
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(file_digest(path))


def interpolate(
    published: dict[str, Tensor], trained: dict[str, Tensor], fraction: float
) -> dict[str, Tensor]:
    """Interpolate linearly between the published (0) and the trained weights (1)."""
    return {name: torch.lerp(published[name], trained[name], fraction) for name in trained}
