"""Memory grows less than quadratically with the number of keypoints, and not with the number of pairs.

16,384 x 16,384 keypoints need less than 1 GiB, the size of one float32 matrix of all pairs of keypoints. Weights are random
and there is one layer, as memory depends on neither.
"""

import subprocess
import sys

KEYPOINTS = 16_384
PROGRAM = """
import sys, torch
from tiepoint.bench import reset_peak, peak_bytes, resident_bytes
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.types import Features

def features(count):
    descriptors = torch.nn.functional.normalize(torch.randn(count, 128))
    return Features(
        keypoints=1000 * torch.rand(count, 2), scores=torch.ones(count), descriptors=descriptors, image_size=(1024, 1024)
    )

torch.manual_seed(0)
matcher = LightGlueMatcher(LightGlue(LightGlueShape(input_dim=128, layers=1)), adaptivity=AdaptiveInference.from_flag(False))
pair = [features(int(count)) for count in sys.argv[1:]]
reset_peak()
before = resident_bytes()
(matches,) = matcher.match([tuple(pair)])
assert matches.layers_run == 1 and len(matches.matching_scores0) == len(pair[0])
print(peak_bytes() - before)
"""


def bytes_above_model(count0: int, count1: int) -> int:
    """Peak memory of a new process, relative to the memory before matching."""
    command = [sys.executable, "-c", PROGRAM, str(count0), str(count1)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def test_many_keypoints_fit_into_one_gib():
    assert bytes_above_model(KEYPOINTS, KEYPOINTS) < 2**30


def test_memory_grows_less_than_quadratically_with_keypoints():
    """For smaller numbers of keypoints, where a quadratic part would be hidden below 1 GiB."""
    small, large = (bytes_above_model(count, count) for count in (3072, 6144))
    assert large < 3 * small


MANY_PAIRS = """
import random, torch, tiepoint
from tiepoint.bench import resident_bytes
from tiepoint.types import Features

def features(count):
    descriptors = torch.nn.functional.normalize(torch.randn(count, 128))
    return Features(
        keypoints=256 * torch.rand(count, 2), scores=torch.ones(count), descriptors=descriptors, image_size=(256, 256)
    )

torch.manual_seed(0)
chance = random.Random(0)
matcher = tiepoint.load("aliked+lightglue", device="cpu")
before = 0
for number in range(120):
    matcher.match_features([tuple(features(chance.randint(256, 640)) for _ in range(2))])
    before = before or (number == 39) * resident_bytes()
print(resident_bytes() - before)
"""


def test_memory_does_not_grow_with_the_number_of_pairs():
    """For images with varying numbers of keypoints, for which underlying libraries might cache memory each time."""
    done = subprocess.run([sys.executable, "-c", MANY_PAIRS], check=True, stdout=subprocess.PIPE, text=True)
    assert int(done.stdout) < 128 * 2**20  # without care 300
