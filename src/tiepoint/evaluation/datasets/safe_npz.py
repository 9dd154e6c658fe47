"""Arrays of Python objects in .npz files, read without running what a stranger's pickle asks for."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.errors import InvalidInput

ALLOWED = {
    "_reconstruct": np.zeros(0).__reduce__()[0],  # type: ignore[index]
    "scalar": np.float64(0).__reduce__()[0],  # type: ignore[index]
    "ndarray": np.ndarray,
    "dtype": np.dtype,
}
"""All that NumPy's own pickles of numbers, texts, tuples and arrays call, under whichever module name."""


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """Every array of an .npz, arrays of objects among them.

    Raises:
        InvalidInput: no .npz, or one that holds anything but numbers, texts, lists, tuples, None and arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy"): _read(archive, name) for name in archive.namelist()}
    except InvalidInput:
        raise
    except Exception as error:  # damaged zip files, headers and pickles raise nearly every type that there is
        raise InvalidInput(f"{path} can't be read as .npz ({error}); copy or download it again") from error


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as stream:
        if np.lib.format.read_magic(stream) == (1, 0):
            _, _, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            _, _, dtype = np.lib.format.read_array_header_2_0(stream)
        if dtype.hasobject:
            return np.asarray(_Unpickler(stream).load())
    with archive.open(name) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in ALLOWED:
            return ALLOWED[name]
        raise InvalidInput(
            f"an .npz of a data set must not hold {module}.{name}; is the file from its authors?"
        )
