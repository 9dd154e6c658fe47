"""Live models, from transformers and back, for those who hold one."""

from typing import Any

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.huggingface.checkpoint import fill, hub_state
from tiepoint.huggingface.configuration import LightGlueConfig
from tiepoint.huggingface.modeling import LightGlueForKeypointMatching


def from_transformers(model: Any) -> LightGlueForKeypointMatching:
    """Copy a live `transformers.LightGlueForKeypointMatching` into ours.

    Args:
        model: theirs; it isn't changed, and shares no memory with the copy.

    Returns:
        Ours, on the same device and in the same type. An adaptivity that was switched off as transformers needs it
        (1.0) stays a threshold that is never exceeded.

    Raises:
        InvalidInput: another kind of model.
        WeightsError: tensors that LightGlue can't have.
    """
    if getattr(getattr(model, "config", None), "model_type", None) != "lightglue":
        raise InvalidInput(
            f"expected transformers' LightGlueForKeypointMatching, but got {type(model).__name__}"
        )
    copied = LightGlueForKeypointMatching(LightGlueConfig.from_dict(model.config.to_dict()))
    fill(copied, {name: tensor.detach().clone() for name, tensor in model.state_dict().items()})
    return copied.eval()


def to_transformers(model: LightGlueForKeypointMatching) -> Any:
    """Copy our model into a live `transformers.LightGlueForKeypointMatching`.

    Args:
        model: ours, with SuperPoint inside; transformers knows no other detector.

    Raises:
        InvalidInput: another detector is inside.
        MissingDependency: transformers isn't installed.
    """
    kind = model.config.keypoint_detector_config.model_type
    if kind != "superpoint":
        raise InvalidInput(f"transformers' LightGlue holds SuperPoint only, but this model holds {kind!r}")
    try:
        from transformers import LightGlueConfig as TheirConfig, LightGlueForKeypointMatching as TheirModel
    except ImportError as error:
        raise MissingDependency(
            "transformers isn't installed; run: python -m pip install transformers"
        ) from error
    theirs: Any = TheirModel(TheirConfig.from_dict(model.config.to_dict()))
    theirs = theirs.to(model.dtype)
    theirs.load_state_dict(hub_state(model), strict=True)
    return theirs.to(model.device).eval()
