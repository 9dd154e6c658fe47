"""Export the models and the sample pair of the page in web/ (`make web`).

    python tools/web_models.py fast -o web/dist

Writes one bundle per preset below OUT/models, the list OUT/models/index.json, and the sample pair in OUT/sample.
"""

import argparse
from pathlib import Path
from typing import Any

import PIL.Image

from tiepoint.exporting.bundle import export_bundle
from tiepoint.exporting.options import ExportOptions
from tiepoint.geometry.pair_verification import MODELS
from tiepoint.image.sample_pair import motorcycle
from tiepoint.io.serialization import write_json
from tiepoint.presets import PRESETS, full_name
from tiepoint.runtimes.bundle import open_bundle
from tiepoint.weights import WEIGHTS

SAMPLE = ("sample/left.png", "sample/right.png")
SAMPLE_ABOUT = (
    "motorcycle of the Middlebury Stereo Datasets 2014 (Scharstein et al., GCPR 2014), as in scikit-image"
)
SAMPLE_SOURCE = "https://vision.middlebury.edu/stereo/data/scenes2014/"


def main() -> None:
    """Parse the command line and write everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("presets", nargs="+", help="Presets to export.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Folder of the page.")
    arguments = parser.parse_args()
    (arguments.output / "models").mkdir(parents=True, exist_ok=True)
    bundles = [export(name, arguments.output / "models") for name in arguments.presets]
    write_sample(arguments.output)
    write_json(model_index(bundles), arguments.output / "models" / "index.json")


def export(name: str, folder: Path) -> dict[str, Any]:
    """Export a preset, and return its row of the list."""
    preset = str(full_name(name))
    row = PRESETS[preset]
    form = "adaptive" if row.matcher == "lightglue" else "single"
    export_bundle(name, folder / name, ExportOptions(target="onnx", form=form))
    manifest = open_bundle(folder / name, verify=False).manifest
    return {
        "folder": name,
        "preset": preset if name == preset else f"{name}: {preset}",
        "about": row.about,
        "bytes": sum(file.bytes for file in manifest.files),
        "weights": [
            {"name": part, "license": WEIGHTS[part].license, "source": str(WEIGHTS[part].sources[0])}
            for part in row.weights
        ],
    }


def write_sample(output: Path) -> None:
    """Write both images of the sample pair as PNG: every browser decodes it to the same pixels."""
    for pixels, name in zip(motorcycle()[:2], SAMPLE, strict=True):
        (output / name).parent.mkdir(exist_ok=True)
        PIL.Image.fromarray(pixels).save(output / name, optimize=True)


def model_index(bundles: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the list that the page reads."""
    return {
        "bundles": bundles,
        "sample": {"files": SAMPLE, "about": SAMPLE_ABOUT, "source": SAMPLE_SOURCE},
        "verification": {name: list(values) for name, values in MODELS.items()},
    }


if __name__ == "__main__":
    main()
