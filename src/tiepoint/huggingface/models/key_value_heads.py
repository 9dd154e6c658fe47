"""Attention projections of transformers' configurations that LightGlue does not have, expanded to those that it has.

A configuration of transformers may have fewer key/value heads than heads, each used by several heads, and no biases in
attention. LightGlue has as many of the former as of the latter, and biases; repeated heads and zero biases are the same
function.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from tiepoint.huggingface.configuration.configs import LightGlueConfig

PROJECTION = re.compile(r"transformer_layers\.\d+\.(?:self|cross)_attention\.([qkvo])_proj\.(weight|bias)")
"""Parameters of attention in Hugging Face files; the groups are the projection and the parameter."""


def expand_projections(state_dict: Mapping[str, Tensor], config: LightGlueConfig) -> dict[str, Tensor]:
    """Repeat key/value heads and add zero biases, and update the configuration.

    Args:
        state_dict: Tensors by their names in Hugging Face files.
        config: Configuration; afterward it has as many key/value heads as heads, and biases.
    """
    expanded = dict(state_dict)
    if config.num_key_value_heads != config.num_attention_heads:
        expanded = {name: _repeat_heads(name, tensor, config) for name, tensor in expanded.items()}
        config.num_key_value_heads = config.num_attention_heads
    if not config.attention_bias:
        expanded = _zero_biases(expanded) | expanded
        config.attention_bias = True
    return expanded


def _repeat_heads(name: str, tensor: Tensor, config: LightGlueConfig) -> Tensor:
    found = PROJECTION.fullmatch(name)
    head_dim = config.descriptor_dim // config.num_attention_heads
    if found is None or found[1] not in "kv" or len(tensor) != config.num_key_value_heads * head_dim:
        return tensor
    heads = tensor.unflatten(0, (config.num_key_value_heads, head_dim))
    return heads.repeat_interleave(config.num_attention_heads // config.num_key_value_heads, dim=0).flatten(
        0, 1
    )


def _zero_biases(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    weights = [name for name in state_dict if (found := PROJECTION.fullmatch(name)) and found[2] == "weight"]
    return {
        name.removesuffix("weight") + "bias": torch.zeros_like(state_dict[name][:, 0]) for name in weights
    }
