"""Keyword options of transformers' loaders: those with an effect here, those without, and unknown ones.

An option of a loader is never a setting of a model: it has its effect, warns that it has none, or is refused.
"""

from collections.abc import Collection, Mapping
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.options import InvalidArgument, warn
from tiepoint.io.messages import unknown_name

HUB_OPTION_NAMES = ("revision", "token", "cache_dir", "local_files_only", "force_download", "subfolder")
"""Names of `tiepoint.huggingface.hub.HubOptions`."""

WITHOUT_EFFECT = {
    "trust_remote_code": "code of a repository is never executed",
    "code_revision": "code of a repository is never executed",
    "low_cpu_mem_usage": "weights are always loaded without a second copy",
    "max_memory": "a model is loaded on one device",
    "offload_folder": "a model is loaded on one device",
    "offload_state_dict": "a model is loaded on one device",
    "offload_buffers": "a model is loaded on one device",
    "weights_only": "pickles are always read without executing code",
    "resume_download": "downloads are always resumed",
    "proxies": "set the environment variables HTTPS_PROXY and HTTP_PROXY instead",
    "use_kernels": "there are no other kernels",
    "use_auth_token": "use token instead",
    "framework": "the only framework is PyTorch",
    "torchscript": "models are traced without it",
}
"""Option -> reason why it has no effect."""

UNSUPPORTED = {
    "quantization_config": "quantized models are not supported",
    "gguf_file": "GGUF files are not supported",
    "tp_plan": "a model is loaded on one device",
    "tp_size": "a model is loaded on one device",
    "device_mesh": "a model is loaded on one device",
    "key_mapping": "rename the tensors and pass them as state_dict",
    "adapter_kwargs": "adapters are not supported",
    "from_tf": "only PyTorch weights are supported",
    "from_flax": "only PyTorch weights are supported",
}
"""Option -> reason why it is refused."""

INTERNAL = ("_from_auto", "_from_pipeline", "_commit_hash", "_fast_init", "mirror", "user_agent")
"""Options that libraries pass around; they never change a result."""


def split_options(
    function: str, options: Mapping[str, Any], known: Collection[str], settings: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split the keyword options of a function into those it knows and settings of the model.

    Args:
        function: Name of the function that was called, for messages.
        options: Keyword options.
        known: Options of the function.
        settings: Settings of the model.

    Returns:
        The options of the function, and the settings.

    Raises:
        InvalidInput: If an option is not supported.
        InvalidArgument: If an option is unknown.
    """
    own: dict[str, Any] = {}
    overrides: dict[str, Any] = {}
    for name, value in options.items():
        if name in known:
            own[name] = value
        elif name in settings:
            overrides[name] = value
        elif name not in INTERNAL:
            _check_foreign_option(function, name, value, known, settings)
    return own, overrides


def check_attention(function: str, name: str | None) -> None:
    """Raise InvalidInput for an attention implementation other than eager and SDPA, whose results are the same."""
    if name not in (None, "eager", "sdpa"):
        raise InvalidInput(
            f"{function}: attn_implementation {name!r} is not supported; PyTorch's scaled dot-product attention ('sdpa') "
            "is always used"
        )


def _check_foreign_option(
    function: str, name: str, value: Any, known: Collection[str], settings: Collection[str]
) -> None:
    if name not in WITHOUT_EFFECT and name not in UNSUPPORTED:
        raise InvalidArgument(f"{function}: {unknown_name('option', name, sorted({*known, *settings}))}")
    if value is None or value is False:
        return
    if name in UNSUPPORTED:
        raise InvalidInput(f"{function}: {name} is not supported; {UNSUPPORTED[name]}")
    warn(f"{function}: {name} has no effect; {WITHOUT_EFFECT[name]}")
