"""Readers of COLMAP's text files for features and matches, as in COLMAP's tutorial, and its mapper."""

from pathlib import Path

import numpy as np
import pycolmap


def read_keypoints_text(folder: Path, name: str) -> tuple[np.ndarray, int]:
    """Keypoints of a feature file, shape (n, 2), and the descriptor dimension."""
    head, *lines = (folder / "features" / f"{name}.txt").read_text().splitlines()
    rows = np.array([line.split() for line in lines], np.float64)
    assert head == f"{len(rows)} 128"
    return rows[:, :2].astype(np.float32), rows.shape[1] - 4


def read_match_text(path: Path) -> dict[tuple[str, str], list[list[int]]]:
    """Index pairs of each image pair."""
    matches = {}
    for block in path.read_text(encoding="utf-8").split("\n\n")[:-1]:
        names, *lines = block.splitlines()
        matches[tuple(names.split())] = [[int(word) for word in line.split()] for line in lines]
    return matches


def run_mapper(database: Path, images: Path, folder: Path) -> pycolmap.Reconstruction:
    """Largest model of COLMAP's incremental mapper, with one thread and a fixed seed."""
    folder.mkdir()
    options = pycolmap.IncrementalPipelineOptions(random_seed=0, num_threads=1)
    return pycolmap.incremental_mapping(str(database), str(images), str(folder), options)[0]
