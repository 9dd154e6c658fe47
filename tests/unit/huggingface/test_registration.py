"""register and unregister: tiepoint's classes in transformers' own pipeline and Auto classes.

Each test runs in a process of its own: transformers is changed for the whole process. With TIEPOINT_TRANSFORMERS, a
folder with another version, that version is used.
"""

import json
import os
import subprocess
import sys

import pytest
from tests.helpers.keypoint_matching import HEIGHT, WIDTH, noise_pairs
from tests.helpers.random_networks import random_model, tiny_config
from torchvision.transforms.functional import to_pil_image

from tiepoint.huggingface import LightGlueImageProcessor, pipeline

pytest.importorskip("transformers")

PROGRAM = """
import json, os, sys
if other := os.environ.get("TIEPOINT_TRANSFORMERS"):
    sys.path.insert(0, other)
import transformers
import tiepoint
folder, pair = sys.argv[1], [sys.argv[2], sys.argv[3]]
names = ["AutoConfig", "AutoImageProcessor", "AutoModel", "AutoModelForKeypointMatching"]
def modules():
    loaded = [getattr(transformers, name).from_pretrained(folder) for name in names]
    found = transformers.pipeline("keypoint-matching", model=folder)
    return [type(each).__module__.split(".")[0] for each in (*loaded, found, found.model, found.image_processor)]
before = modules()
tiepoint.huggingface.register()
tiepoint.huggingface.register()
registered = modules()
matches = transformers.pipeline("keypoint-matching", model=folder, device="cpu")([pair, pair], batch_size=2)
from transformers import LightGlueForKeypointMatching
same_class = LightGlueForKeypointMatching is tiepoint.LightGlueForKeypointMatching
tiepoint.huggingface.unregister()
tiepoint.huggingface.unregister()
print(json.dumps([before, registered, modules(), same_class, matches]))
"""


@pytest.mark.slow
def test_transformers_returns_tiepoint_until_unregister(tmp_path):
    random_model(tiny_config(max_keypoints=60)).save_pretrained(tmp_path / "model")
    LightGlueImageProcessor(size={"height": HEIGHT, "width": WIDTH}).save_pretrained(tmp_path / "model")
    paths = [str(tmp_path / f"{side}.png") for side in (0, 1)]
    for path, image in zip(paths, noise_pairs(1)[0], strict=True):
        to_pil_image(image).save(path)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "model"), *paths]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"HF_HUB_OFFLINE": "1"}
    )
    before, registered, after, same_class, matches = json.loads(done.stdout.splitlines()[-1])
    assert before == after == ["transformers"] * 7
    assert registered == ["tiepoint"] * 7
    assert same_class
    expected = pipeline(model=tmp_path / "model")([paths, paths])
    assert matches == expected
    assert len(matches[0]) > 5
