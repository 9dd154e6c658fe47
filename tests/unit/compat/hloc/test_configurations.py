import copy
import pickle

import pytest

from tiepoint.compat import hloc
from tiepoint.compat.hloc import extract_features, match_features
from tiepoint.compat.hloc.configurations import Configurations, model_options
from tiepoint.errors import InvalidInput

TABLE = Configurations({"disk": {"output": "feats-disk", "model": {"name": "disk"}}}, {"r2d2": "'disk'"})
KNOWN = {"disk": ("max_keypoints",)}


def test_unavailable_and_unknown_names_say_what_to_use() -> None:
    with pytest.raises(InvalidInput, match="'r2d2' is not available in tiepoint; use 'disk'"):
        TABLE["r2d2"]
    with pytest.raises(KeyError, match="did you mean 'disk'"):
        TABLE["dsik"]
    assert TABLE.get("r2d2") is None
    assert "r2d2" not in TABLE


@pytest.mark.parametrize("confs", [extract_features.confs, match_features.confs])
def test_all_names_of_hloc_are_known(confs: Configurations) -> None:
    assert not {*confs} & {*confs.unavailable}
    for name in confs.unavailable:
        with pytest.raises(InvalidInput, match=name):
            confs[name]


def test_configurations_are_plain_dictionaries() -> None:
    conf = copy.deepcopy(extract_features.confs["superpoint_aachen"])
    conf["model"]["max_keypoints"] = 7
    assert extract_features.confs["superpoint_aachen"]["model"]["max_keypoints"] == 4096
    assert pickle.loads(pickle.dumps(conf)) == conf


def test_model_options() -> None:
    name, options = model_options({"model": {"name": "disk", "max_keypoints": 5}}, KNOWN)
    assert (name, options) == ("disk", {"max_keypoints": 5})


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"output": "x"}, "expected a configuration"),
        ({"model": {"name": "disc"}}, "did you mean 'disk'"),
        ({"model": {"name": "disk", "max_keypoint": 5}}, "did you mean 'max_keypoints'"),
    ],
)
def test_invalid_configurations(conf: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        model_options(conf, KNOWN)


def test_missing_modules_say_what_to_use() -> None:
    with pytest.raises(ImportError, match=r"tiepoint\.localize"):
        from tiepoint.compat.hloc import localize_sfm  # noqa: F401
    with pytest.raises(AttributeError, match="triangle"):
        hloc.triangle  # noqa: B018
