"""Make the weights of the preset `aliked+lightglue-small` from part d of benchmarks/training.py, and their record.

    .venv/bin/python benchmarks/small_preset.py    # then put the digest that it prints into src/tiepoint/weights/table.py

The extractor's weights aren't ours, and stay out: the file holds LightGlue alone, under its official names.
"""

import argparse
import json
from pathlib import Path

from safetensors.torch import save_file

from tiepoint.networks.lightglue_convert import build
from tiepoint.presets import MODEL, TRAINING
from tiepoint.weights import digest, load_state_dict

ROOT = Path(__file__).resolve().parents[1]
OURS = ROOT / "src" / "tiepoint" / "weights" / "pretrained"
NAME = "aliked_lightglue_small"
METADATA = {"format": "pt", "licence": "Apache-2.0", "record": f"{NAME}.json"}


def main() -> None:
    """Write both files, and print the digest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trained", type=Path, default=ROOT / "build" / "training" / "d", help="the folder")
    trained = parser.parse_args().trained
    network = build(load_state_dict(trained / MODEL))
    path = OURS / f"{NAME}.safetensors"
    save_file(network.state_dict(), path, metadata=METADATA)
    record = json.loads((trained / TRAINING).read_text())
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(digest(path))


if __name__ == "__main__":
    main()
