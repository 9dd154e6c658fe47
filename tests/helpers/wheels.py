"""A wheel with the contents of two rows of weights."""

import zipfile
from pathlib import Path

CONTENTS = {"first": b"one" * 1000, "second": b"two" * 2000}


def put_wheel(shelf: Path, contents: dict[str, bytes]) -> Path:
    path = shelf / "tiepoint_test_wheel-1.0-py3-none-any.whl"
    info = "tiepoint_test_wheel-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiepoint-test-wheel\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        for name, content in contents.items():
            wheel.writestr(f"tiepoint_test_wheel/weights/{name}.pth", content)
    return path
