"""Families are recognized from tensors; whatever is missing, unexpected or of another network is an error with names."""

import pytest
import torch
from tests.helpers.lightglue_files import LOMA, TINY, family_files, other, prefixed, superpoint, tensors

from tiepoint.errors import WeightsError
from tiepoint.models.lightglue.checkpoint import from_official
from tiepoint.models.lightglue.recognition import OWN_FAMILY, build, recognize, unwrapped

FLAT = {
    name: (family, shape, content)
    for name, (family, shape, content) in family_files().items()
    if all(isinstance(value, torch.Tensor) for value in content.values())
}


@pytest.mark.parametrize("case", FLAT)
def test_every_family_is_recognized_and_its_network_built(case: str):
    family, shape, content = FLAT[case]
    found = recognize(content)
    assert (found.family.name, found.shape) == (family, shape)
    network = found.network()
    assert network.shape == shape
    assert not network.training
    expected = tensors(shape)
    for name, value in network.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-2 if case == "float16" else 0)


def test_other_networks_in_the_file_are_counted_by_prefix():
    _, _, content = FLAT["gim"]
    assert recognize(content).ignored == {"superpoint.": 5}
    assert recognize(FLAT["loma"][2]).ignored == {"_detector.": 1, "_descriptor.": 1}


def test_wrappers_are_parts_of_names():
    state = {"module.a._orig_mod.weight": torch.ones(1), "my_module.b": torch.ones(1)}
    assert list(unwrapped(state)) == ["a.weight", "my_module.b"]


class TestKind:
    """Names and shapes cannot tell MINIMA's network from the official one for SuperPoint."""

    STATE = tensors(TINY.__class__(input_dim=256, dim=32, layers=2, heads=2))

    def test_what_tensors_cannot_tell_is_official_with_its_alternatives(self):
        found = recognize(self.STATE)
        assert found.family.name == "official"
        assert found.alternatives == ("minima", "dedode", "rdd")
        assert recognize(tensors()).alternatives == ()

    def test_a_kind_chooses_an_alternative(self):
        assert recognize(self.STATE, kind="minima").family.name == "minima"
        assert recognize(self.STATE, kind="official").family.name == "official"

    @pytest.mark.parametrize("kind", ["gim", "raco-aliked", "loma", "nothing"])
    def test_a_kind_that_contradicts_the_tensors_is_an_error(self, kind: str):
        with pytest.raises(WeightsError, match=kind):
            recognize(self.STATE, kind=kind)

    def test_loma_without_its_other_networks_needs_a_kind(self):
        with pytest.raises(WeightsError, match=r"missing token_confidence\.0"):
            recognize(tensors(LOMA))
        assert recognize(tensors(LOMA), kind="loma").shape == LOMA

    def test_metadata_of_our_own_files_name_the_family(self):
        assert recognize(tensors(LOMA), {OWN_FAMILY: "loma"}).shape == LOMA
        assert recognize(tensors(), {OWN_FAMILY: "gim"}).shape.size_order == "hw"


class TestErrors:
    """One clear line, with the tensor, the nearest name and the closest family."""

    @pytest.mark.parametrize("case", ["official", "huggingface", "lighterglue", "gim", "loma", "keynet"])
    def test_a_missing_tensor(self, case: str):
        _, _, content = FLAT[case]
        names = [name for name in content if "1.final_proj" in name]
        with pytest.raises(WeightsError, match="missing") as error:
            recognize({name: value for name, value in content.items() if name != names[0]})
        assert case in str(error.value)
        assert "1.final_proj" in str(error.value)
        assert "\n" not in str(error.value)

    def test_a_missing_layer(self):
        with pytest.raises(WeightsError, match=r"transformers\.1\.cross_attn"):
            recognize({n: v for n, v in tensors().items() if not n.startswith("transformers.1.")})

    def test_a_misspelled_tensor_comes_with_the_nearest_name(self):
        state = tensors()
        state["log_assignment.1.final_projj.bias"] = state.pop("log_assignment.1.final_proj.bias")
        with pytest.raises(WeightsError, match=r"nearest name: log_assignment\.1\.final_projj\.bias"):
            build(state)

    @pytest.mark.parametrize("prefix", ["", "matcher.", "model."])
    def test_an_unknown_tensor_beside_the_matcher(self, prefix: str):
        with pytest.raises(WeightsError, match=r"unexpected.* head\.weight|unexpected head\.weight"):
            build(prefixed(prefix, tensors()) | other("head.weight"))

    def test_two_matchers_in_one_file(self):
        with pytest.raises(WeightsError, match=r"student\."):
            build(prefixed("student.", tensors()) | prefixed("teacher.", tensors()))

    @pytest.mark.parametrize(
        ("state", "network"),
        [
            (superpoint(), "SuperPoint alone"),
            (other("bin_score", "gnn.layers.0.attn.merge.weight", "kenc.encoder.0.weight"), "SuperGlue"),
            (other("net.block_fusion.0.weight", "net.heatmap_head.0.weight"), "XFeat"),
        ],
    )
    def test_other_networks_are_named(self, state: dict[str, torch.Tensor], network: str):
        with pytest.raises(WeightsError, match=network):
            build(state)

    def test_names_of_two_formats(self):
        mixed = tensors() | from_official(tensors(), "huggingface")
        with pytest.raises(WeightsError, match="unexpected"):
            build(mixed)
