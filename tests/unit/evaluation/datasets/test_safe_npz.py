"""Object arrays in .npz files: restored unchanged, arbitrary pickles refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets.safe_npz import load_npz


def test_pickles_with_code_are_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "touched",)

    evil = np.empty(1, dtype=object)
    evil[0] = Evil()
    np.savez(tmp_path / "evil.npz", pair_infos=evil)
    with pytest.raises(InvalidInput, match=r"unpickle (pathlib|builtins\.getattr)"):
        load_npz(tmp_path / "evil.npz")
    assert not (tmp_path / "touched").exists()
    pickle.loads(pickle.dumps(evil[0]))
    assert (tmp_path / "touched").exists()  # which shows that the pickle was a working one


def test_arrays_are_restored(tmp_path: Path) -> None:
    objects = np.empty(3, dtype=object)
    objects[:] = [None, "text", (np.float64(2.5), np.arange(3))]
    np.savez_compressed(tmp_path / "a.npz", objects=objects, numbers=np.eye(2), texts=np.array(["x"]))
    arrays = load_npz(tmp_path / "a.npz")
    assert arrays["objects"][:2].tolist() == [None, "text"]
    assert arrays["objects"][2][1].tolist() == [0, 1, 2]
    assert arrays["numbers"].tolist() == np.eye(2).tolist()
    assert arrays["texts"].tolist() == ["x"]
