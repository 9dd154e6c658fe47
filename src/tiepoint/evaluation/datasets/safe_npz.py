"""Object arrays in .npz files, unpickled without executing arbitrary code."""

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
# Globals in NumPy's pickles of numbers, strings, tuples and arrays; their modules depend on the NumPy version


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file, including object arrays.

    Raises:
        InvalidInput: If the file is not an .npz file, or contains objects other than numbers, strings, lists, tuples,
            None and arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy"): _read(archive, name) for name in archive.namelist()}
    except InvalidInput:
        raise
    except Exception as error:  # damaged zip files, headers and pickles raise many types
        raise InvalidInput(f"cannot read {path} as .npz ({error}); copy or download it again") from error


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
        raise InvalidInput(f"refusing to unpickle {module}.{name}: not a plain NumPy array")
