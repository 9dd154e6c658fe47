"""Published networks exported and run on real images in ONNX Runtime; the export itself compares them."""

from pathlib import Path

import pytest
from tests.helpers.shape_checks import without_shape_checks

from tiepoint.exporting.bundle import export_bundle
from tiepoint.exporting.options import ExportOptions
from tiepoint.exporting.parity import ParityReport

pytestmark = [pytest.mark.real, pytest.mark.weights]


@pytest.fixture(scope="module")
def report(photos: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> ParityReport:
    with without_shape_checks():
        return export_bundle(
            "fast",
            tmp_path_factory.mktemp("export") / "bundle",
            ExportOptions(form="adaptive"),
            images=photos,
            max_keypoints=1024,
        )


def test_extraction_and_matching_agree_with_the_package(report: ParityReport) -> None:
    stages = [one.stage for one in report.comparisons]
    assert stages.count("extraction") == 2
    assert report.differing_per_10000 < 10
    real = [one for one in report.comparisons if "px, " in one.input]
    assert [one.layers[0] == one.layers[1] for one in real] == [True]
    assert min(real[0].counts) > 300
