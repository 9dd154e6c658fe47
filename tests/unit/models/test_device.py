import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.models.device import choose_device, to_device


class TestChooseDevice:
    def test_auto_chooses_the_gpu_if_there_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert choose_device("auto") == torch.device("cuda")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        assert choose_device("auto") == torch.device("cpu")

    @pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
    def test_an_available_device_is_returned(self, device: str | torch.device) -> None:
        assert choose_device(device) == torch.device("cpu")

    @pytest.mark.parametrize("device", ["gpu", "meta", "cpu:x", ""])
    def test_an_unusable_device_is_rejected_in_one_line(self, device: str) -> None:
        with pytest.raises(InvalidInput) as error:
            choose_device(device)
        assert repr(device) in str(error.value)
        assert "\n" not in str(error.value)


class TestToDevice:
    def test_a_tensor_on_the_device_is_not_copied(self) -> None:
        tensor = torch.arange(3)
        assert to_device(tensor, torch.device("cpu")) is tensor

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="requires a CUDA GPU")
    def test_values_are_kept_on_a_gpu(self) -> None:
        tensor = torch.arange(3)
        assert to_device(tensor, torch.device("cuda")).cpu().equal(tensor)
