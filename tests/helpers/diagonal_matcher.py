"""A matcher without weights that detects pixels of the diagonal."""

from types import SimpleNamespace

import torch

from tiepoint.api import Matcher
from tiepoint.bench.machine import Machine
from tiepoint.image import Image
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.types import Features

WIDTH, HEIGHT = 24, 16
MACHINE = Machine(processor="P", device="cpu", cores=2, threads=1, gemm_gflops=100.0, torch="2", tiepoint="0")


class Diagonal(Matcher):
    """Detects the first pixels of the diagonal, described by their index; one more in bright images."""

    def __init__(self) -> None:
        self.extractor = SimpleNamespace(  # type: ignore[assignment]
            device=torch.device("cpu"), settings=SimpleNamespace(stretch=None)
        )
        self.matcher = NearestMatcher()
        self.threads: set[int] = set()

    def extract(self, image: Image, **options: object) -> Features:  # type: ignore[override]
        self.threads.add(torch.get_num_threads())
        count = 5 + int(image.pixels.float().mean() > 100)
        return Features(
            keypoints=torch.arange(count).float()[:, None].expand(-1, 2),
            scores=torch.ones(count),
            descriptors=torch.eye(8)[:count],
            image_size=image.image_size,
        )
