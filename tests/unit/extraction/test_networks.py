"""Networks of extractors are built strictly from their checkpoints."""

import pytest
import torch
from torch import Tensor

from tiepoint.errors import WeightsError
from tiepoint.extraction.networks import NETWORKS, build_network
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.raco import RaCo, RaCoConfig
from tiepoint.presets import EXTRACTOR_WEIGHTS


class TestBuildNetwork:
    """Filling is strict; shown on the smallest network."""

    @pytest.fixture
    def state(self) -> dict[str, Tensor]:
        return {name: tensor + 0.5 for name, tensor in ALIKED(ALIKED_VARIANTS["t16"]).state_dict().items()}

    def test_the_network_has_the_given_tensors(self, state: dict[str, Tensor]) -> None:
        network = build_network("aliked-t16", state)
        assert not network.training
        assert set(network.state_dict()) == set(state)
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, state[name])
            assert tensor.device.type == "cpu"

    def test_a_missing_tensor_is_an_error(self, state: dict[str, Tensor]) -> None:
        name = next(iter(state))
        del state[name]
        with pytest.raises(WeightsError, match=f"aliked-t16.*missing {name}") as error:
            build_network("aliked-t16", state)
        assert "\n" not in str(error.value)

    def test_an_unexpected_tensor_is_an_error(self, state: dict[str, Tensor]) -> None:
        with pytest.raises(WeightsError, match=r"aliked-t16.*unexpected fc\.weight"):
            build_network("aliked-t16", {**state, "fc.weight": torch.zeros(2)})

    def test_another_variant_is_an_error(self, state: dict[str, Tensor]) -> None:
        with pytest.raises(WeightsError, match=r"must have shape .*another variant") as error:
            build_network("aliked-n16", state)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("name", NETWORKS)
    def test_every_network_rejects_unknown_tensors(self, name: str) -> None:
        with pytest.raises(WeightsError) as error:
            build_network(name, *[{"fc.weight": torch.zeros(2)}] * len(EXTRACTOR_WEIGHTS.get(name, (name,))))
        assert "\n" not in str(error.value)

    def test_weights_files_in_the_wrong_order(self) -> None:
        aliked, raco = ALIKED(ALIKED_VARIANTS["n16"]).state_dict(), RaCo(RaCoConfig()).state_dict()
        network = build_network("raco-aliked", raco, aliked)
        assert network.descriptor_dim == 128
        assert not any(module.training for module in network.modules())
        with pytest.raises(
            WeightsError, match=r"cannot load RaCo weights.*these are weights of ALIKED, a detector"
        ):
            build_network("raco-aliked", aliked, raco)
