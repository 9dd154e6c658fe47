"""`pipeline("keypoint-matching")`: loads model and image processor, as `transformers.pipeline` does."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

import torch
from torch import nn

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.auto import AutoModelForKeypointMatching
from tiepoint.huggingface.hub import HubOptions
from tiepoint.huggingface.image_processing.auto import AutoImageProcessor
from tiepoint.huggingface.image_processing.base import BaseImageProcessor
from tiepoint.huggingface.models.checkpoint import DeviceMap, resolve_device_map
from tiepoint.huggingface.models.lightglue import LightGlueForKeypointMatching
from tiepoint.huggingface.options import reject_unknown, warn_without_effect
from tiepoint.huggingface.pipelines.keypoint_matching import TASK, KeypointMatchingPipeline, check_task

DEFAULT_MODEL = "aliked+lightglue"
Name = str | os.PathLike[str]

WITHOUT_EFFECT = ("tokenizer", "video_processor", "processor", "trust_remote_code", "code_revision")
"""Options of transformers' `pipeline` that have no effect here: no text, no video, no code from repositories."""

CALL_OPTIONS = ("batch_size", "num_workers", "threshold", "timeout", "binary_output")
"""Options of `KeypointMatchingPipeline`."""


class PipelineOptions(TypedDict, total=False):
    """Keyword options of `pipeline`.

    Attributes: as for `tiepoint.huggingface.hub.HubOptions` and `KeypointMatchingPipeline`, and
        torch_dtype: Old name of dtype.
        code_revision: Without effect.
    """

    cache_dir: Name | None
    local_files_only: bool
    force_download: bool
    subfolder: str
    batch_size: int | None
    num_workers: int | None
    threshold: float
    timeout: float | None
    binary_output: bool
    torch_dtype: str | torch.dtype | None
    code_revision: str | None


def pipeline(
    task: str | None = None,
    model: Name | LightGlueForKeypointMatching | None = None,
    config: Any = None,
    tokenizer: Any = None,
    feature_extractor: Name | BaseImageProcessor | None = None,
    image_processor: Name | BaseImageProcessor | None = None,
    video_processor: Any = None,
    processor: Any = None,
    revision: str | None = None,
    use_fast: bool = True,
    token: str | bool | None = None,
    device: str | int | torch.device | None = None,
    device_map: DeviceMap | None = None,
    dtype: str | torch.dtype | None = "auto",
    trust_remote_code: bool | None = None,
    model_kwargs: dict[str, Any] | None = None,
    pipeline_class: type[KeypointMatchingPipeline] | None = None,
    **kwargs: Unpack[PipelineOptions],
) -> KeypointMatchingPipeline:
    """Create a pipeline.

    Args:
        task: Task, "keypoint-matching"; None means this one.
        model: Repository name, local folder, preset, or model; None means the preset "aliked+lightglue", which needs
            no hub.
        config: Configuration of the model, or the folder or repository of one; None means that of the model.
        tokenizer: Without effect; for tasks with text.
        feature_extractor: Image processor, by its old name.
        image_processor: Repository name, local folder, preset, or image processor; None means that of the model.
        video_processor: Without effect; for tasks with videos.
        processor: Without effect; for tasks with text.
        revision: Branch, tag or commit of the repository; None means the main branch.
        use_fast: Whether the image processor is the one that resizes with torch; False selects the PIL-based one.
        token: Access token for private repositories; None uses the token stored by `hf auth login`, False none.
        device: Device of the model; an integer is the index of a GPU, -1 the CPU. None means the first GPU, or the CPU
            if there is none.
        device_map: Device of the model, as for `LightGlueForKeypointMatching.from_pretrained`.
        dtype: Floating-point type, as for `LightGlueForKeypointMatching.from_pretrained`.
        trust_remote_code: Without effect; code of a repository is never executed.
        model_kwargs: Further options of `LightGlueForKeypointMatching.from_pretrained`.
        pipeline_class: Subclass of `KeypointMatchingPipeline` to create.
        **kwargs: Options of `PipelineOptions`.

    Raises:
        InvalidInput: If the task is unknown, options contradict each other, or a model object is passed without an
            image processor; an InvalidArgument, also a TypeError, if an option is unknown.
        WeightsError: If the model is not found, or cannot be downloaded or loaded.
    """
    check_task(TASK if task is None else task)
    unused = {"tokenizer": tokenizer, "video_processor": video_processor, "processor": processor}
    warn_without_effect(
        "pipeline", {**unused, "trust_remote_code": trust_remote_code, **kwargs}, WITHOUT_EFFECT
    )
    reject_unknown("pipeline", kwargs, (*PipelineOptions.__annotations__,))
    options = _model_options(model_kwargs or {}, dtype, kwargs.get("torch_dtype"), device_map)
    hub_options = _hub_options(kwargs | options, revision, token)
    if device is not None and "device_map" in options:
        raise InvalidInput(
            f"device={device!r} and device_map={options['device_map']!r} are both given; pass one of them"
        )
    source = DEFAULT_MODEL if model is None else model
    if isinstance(source, nn.Module):
        _warn_about_model_object(options, config)
        loaded, conversion = source, _conversion(options)
    else:
        loaded, conversion = _load_model(source, config, options | hub_options), dict[str, Any]()
    if "device_map" in options:
        device = conversion.pop("device", loaded.device)
    candidates = (image_processor, feature_extractor, source, config)
    call_options: Any = {name: value for name, value in kwargs.items() if name in CALL_OPTIONS}
    return (pipeline_class or KeypointMatchingPipeline)(
        loaded,
        _load_processor(candidates, use_fast, hub_options),
        feature_extractor=None if isinstance(feature_extractor, str | os.PathLike) else feature_extractor,
        device=device,
        **conversion,
        **call_options,
    )


def _model_options(
    model_kwargs: dict[str, Any], dtype: Any, torch_dtype: Any, device_map: DeviceMap | None
) -> dict[str, Any]:
    """Return the options of the model's loader; each may be given to `pipeline` or in `model_kwargs`, not both."""
    options = dict(model_kwargs)
    if "torch_dtype" in options:
        options["dtype"] = options.pop("torch_dtype")
    given = {"dtype": torch_dtype if dtype == "auto" else dtype, "device_map": device_map}
    for name, value in given.items():
        if value is None:
            continue
        if name in options:
            raise InvalidInput(f"{name} is given to pipeline() and in model_kwargs; pass it once")
        options[name] = value
    return {"dtype": "auto"} | options


def _conversion(options: dict[str, Any]) -> dict[str, Any]:
    """Return the dtype, and the device of a `device_map`, that a loaded model is converted to."""
    conversion = {"dtype": options["dtype"]}
    if "device_map" in options:
        conversion["device"] = resolve_device_map(options["device_map"])
    return conversion


def _warn_about_model_object(options: dict[str, Any], config: Any) -> None:
    """Warn about options of the loader that have no effect since the model is loaded already."""
    loaders = {
        name: True for name in options if name not in ("dtype", "device_map", *HubOptions.__annotations__)
    }
    loaders["config"] = config is not None and not isinstance(config, str | os.PathLike)
    warn_without_effect("pipeline with a model object", loaders, tuple(loaders))


def _hub_options(
    options: Mapping[str, Any], revision: str | None, token: str | bool | None
) -> dict[str, Any]:
    hub_options = {name: value for name, value in options.items() if name in HubOptions.__annotations__}
    given = {"revision": revision, "token": token}
    return hub_options | {name: value for name, value in given.items() if value is not None}


def _load_model(name: Name, config: Any, options: dict[str, Any]) -> LightGlueForKeypointMatching:
    if config is not None:
        options["config"] = config
    return AutoModelForKeypointMatching.from_pretrained(name, **options)


def _load_processor(candidates: Sequence[Any], use_fast: bool, options: dict[str, Any]) -> Any:
    """Return the first image processor among objects and names, loaded if necessary; None if there is none."""
    for candidate in candidates:
        if isinstance(candidate, BaseImageProcessor):
            return candidate
        if isinstance(candidate, str | os.PathLike):
            return AutoImageProcessor.from_pretrained(candidate, use_fast=use_fast, **options)
    return None
