"""Conversion of models in memory between transformers and tiepoint."""

from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.models.lightglue import LightGlueForKeypointMatching
from tiepoint.io.optional import import_optional


def from_transformers(model: Any) -> LightGlueForKeypointMatching:
    """Copy a `transformers.LightGlueForKeypointMatching` into a tiepoint model.

    Args:
        model: Model of transformers; it is not changed and shares no memory with the copy.

    Returns:
        Copy of the model on the same device and in the same dtype. Confidences of 1.0 (how adaptive inference is
        disabled in transformers) are kept: such a threshold is never exceeded.

    Raises:
        InvalidInput: If the model is of another class.
        WeightsError: If the tensors do not fit LightGlue.
    """
    if getattr(getattr(model, "config", None), "model_type", None) != "lightglue":
        raise InvalidInput(f"expected transformers' LightGlueForKeypointMatching, got {type(model).__name__}")
    return LightGlueForKeypointMatching.from_pretrained(
        None, config=model.config, state_dict=model.state_dict()
    )


def to_transformers(model: LightGlueForKeypointMatching) -> Any:
    """Copy a tiepoint model into a `transformers.LightGlueForKeypointMatching`.

    Args:
        model: Model whose detector is SuperPoint, the only detector that transformers supports.

    Raises:
        InvalidInput: If the model has another detector.
        MissingDependency: If transformers is not installed.
    """
    kind = model.config.keypoint_detector_config.model_type
    if kind != "superpoint":
        raise InvalidInput(f"transformers' LightGlue supports only the detector 'superpoint', got {kind!r}")
    transformers: Any = import_optional(
        "transformers", purpose="the conversion to transformers", install="transformers"
    )
    config = transformers.LightGlueConfig.from_dict(model.config.to_dict())
    converted = transformers.LightGlueForKeypointMatching(config).to(model.dtype)
    converted.load_state_dict(model.hub_state_dict(), strict=True)
    return converted.to(model.device).eval()
