"""Make the weights of the preset `aliked+lightglue-small` from part d of benchmarks/training.py, and their record.

    .venv/bin/python benchmarks/small_preset.py    # then put the digest that it prints into src/tiepoint/weights/table.py

Training on synthetic views makes the published layers better on such views, and worse on pairs that differ more than those
(docs/log.md). So the preset lies between both: every weight is a mean of the published one and the trained one.
Source: Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv 2109.01903.

The extractor's weights aren't ours, and stay out: the file holds LightGlue alone, under its official names.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tiepoint.io.hashing import file_digest
from tiepoint.models.lightglue.checkpoint import build
from tiepoint.presets import MODEL, TRAINING
from tiepoint.weights import load_state_dict

ROOT = Path(__file__).resolve().parents[1]
OURS = ROOT / "src" / "tiepoint" / "weights" / "pretrained"
NAME = "aliked_lightglue_small"
SHARE = 0.25
"""Of the trained weights; the published ones have the rest. benchmarks/small_preset_share.py measures others."""

METADATA = {"format": "pt", "license": "Apache-2.0", "record": f"{NAME}.json"}


def main() -> None:
    """Write both files, and print the digest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trained", type=Path, default=ROOT / "build" / "training" / "d", help="the folder")
    trained = parser.parse_args().trained
    end = build(load_state_dict(trained / MODEL))
    begin = build(load_state_dict("aliked_lightglue")).truncated(end.shape.layers)
    path = OURS / f"{NAME}.safetensors"
    save_file(between(begin.state_dict(), end.state_dict(), SHARE), path, metadata=METADATA)
    path.chmod(0o644)
    record = {"share_of_trained_weights": SHARE, "training": json.loads((trained / TRAINING).read_text())}
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(file_digest(path))


def between(begin: dict[str, Tensor], end: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Means of the weights of two networks: `share` of `end`, and the rest of `begin`."""
    return {name: torch.lerp(begin[name], end[name], share) for name in end}


if __name__ == "__main__":
    main()
