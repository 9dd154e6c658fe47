"""Checkpoint files of every family, with random weights, as the programs of their projects write them."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tests.helpers.lightglue_pairs import random_network
from torch import Tensor

from tiepoint.models.lightglue.checkpoint import from_official
from tiepoint.models.lightglue.network import LightGlueShape

TINY = LightGlueShape(input_dim=16, dim=32, layers=3, heads=2)
LOMA_SWITCHES: dict[str, Any] = {
    "normalization": "per_axis",
    "token_confidence": False,
    "score_matchability": False,
}
LOMA = LightGlueShape(16, 32, 9, 2, **LOMA_SWITCHES)
GIM = LightGlueShape(16, 32, 3, 2, size_order="hw")
KEYNET = LightGlueShape(16, 32, 3, 2, position_dim=6)
SIFT = LightGlueShape(16, 32, 3, 2, position_dim=4)

StateDict = dict[str, Tensor]


def tensors(shape: LightGlueShape = TINY) -> StateDict:
    """Random tensors by official name."""
    return {name: value.clone() for name, value in random_network(shape, 2).state_dict().items()}


def prefixed(prefix: str, state: StateDict) -> StateDict:
    return {prefix + name: value for name, value in state.items()}


def other(*names: str) -> StateDict:
    """Tensors of another network in the same file."""
    return {name: torch.ones(3) for name in names}


def superpoint() -> StateDict:
    return other("conv1a.weight", "conv1a.bias", "convPa.weight", "convPb.bias", "convDa.weight")


def family_files() -> dict[str, tuple[str, LightGlueShape, Any]]:
    """Family, shape and content of a file, by the name of the case."""
    official = tensors()
    buffer = {"confidence_thresholds": torch.ones(3)}
    loma = tensors(LOMA)
    extra = {name.replace(".8.", f".{i}."): v for i in (9, 10) for name, v in loma.items() if ".8." in name}
    optimizer = {
        "state": {0: {"step": torch.ones(1), "exp_avg": torch.ones(3)}},
        "param_groups": [{"lr": 1e-4}],
    }
    loma_parts = other("_detector.encoder.layers.0.weight", "_descriptor.decoder.layers.8.out_conv.bias")
    return {
        "official": ("official", TINY, official | buffer),
        "official, SIFT": ("official", SIFT, tensors(SIFT)),
        "official, first release": (
            "official",
            TINY,
            from_official(official, "old") | other("log_assignment.0.r") | buffer,
        ),
        "DistributedDataParallel, torch.compile": (
            "official",
            TINY,
            prefixed("module._orig_mod.", official),
        ),
        "torch.compile of each layer": (
            "official",
            TINY,
            {name.replace("transformers.1.", "transformers.1._orig_mod."): v for name, v in official.items()},
        ),
        "float16": ("official", TINY, {name: value.half() for name, value in official.items()}),
        "optimizer state beside the model": (
            "official",
            TINY,
            {"model": official, "optimizer": optimizer, "epoch": 3},
        ),
        "huggingface": (
            "huggingface",
            TINY,
            from_official(official, "huggingface") | prefixed("keypoint_detector.", superpoint()),
        ),
        "glue-factory": (
            "glue-factory",
            TINY,
            {
                "model": prefixed("matcher.", official | buffer) | prefixed("extractor.", superpoint()),
                "optimizer": optimizer,
                "conf": {"model": {"name": "two_view_pipeline"}},
                "eval": {"match_recall": 0.9},
                "epoch": 7,
            },
        ),
        "lighterglue": (
            "lighterglue",
            TINY,
            prefixed("matcher.", official) | other("extractor.model.net.block1.0.layer.0.weight"),
        ),
        "gim": ("gim", GIM, prefixed("model.", official) | prefixed("superpoint.", superpoint())),
        "gim, Lightning": (
            "gim",
            GIM,
            {"state_dict": prefixed("model.", official) | prefixed("superpoint.", superpoint()), "epoch": 1},
        ),
        "loma": ("loma", LOMA, loma | loma_parts),
        "loma, extra layers": ("loma", LOMA, loma | extra | loma_parts),
        "keynet": ("keynet", KEYNET, tensors(KEYNET)),
    }


def write_file(folder: Path, content: Any, name: str = "weights.pth") -> Path:
    """Write a file with a name that says nothing about its family."""
    path = folder / name
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in content.items()}, path, {"format": "pt"})
    else:
        torch.save(content, path)
    return path
