"""Parameter names of LightGlue in all checkpoint formats: one table, used in all directions.

- official: `LightGlue` in this package and cvg/LightGlue, `transformers.0.self_attn.Wqkv.weight`;
- old: first releases of cvg/LightGlue, `self_attn.0.Wqkv.weight`;
- huggingface: transformers' `LightGlueForKeypointMatching`, `transformer_layers.0.self_attention.q_proj.weight`.

`recognition` finds the tensors in a file, under any prefix, and recognizes which network of the family they are for.

The queries and keys of cross-attention share one projection, `cross_attn.to_qk`. transformers initializes and trains
two; where they differ, the network has `cross_attn.to_q` and `cross_attn.to_k` (`LightGlueShape.shared_qk=False`),
which the official formats cannot hold.

Loading is strict: a tensor that is missing, unexpected or has another shape is an error that names it.
"""

# torch has no types for Tensor.split, unbind and tolist
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.models.checkpoint import check_names, list_names
from tiepoint.models.lightglue.network import LightGlueShape

Format = Literal["official", "old", "huggingface"]
Form = Literal["same", "interleaved", "shared", "separate"]
StateDict = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class KeyMapping:
    """One row: the names of a parameter in each format.

    Attributes:
        official: Name in the official format.
        huggingface: Names in the Hugging Face format.
        old: Name in the old official format, if it differs.
        form: Relation between the official tensor and those of Hugging Face: "same"; "interleaved" = rows of query,
            key and value in turn (Wqkv); "shared" = equal copies; "separate" = replaces "shared" where they differ.
    """

    official: str
    huggingface: tuple[str, ...]
    old: str | None = None
    form: Form = "same"


def _layer(block: str, official: str, huggingface: str, *names: str, form: Form = "same") -> KeyMapping:
    return KeyMapping(
        official=f"transformers.{{i}}.{block}.{official}",
        old=f"{block}.{{i}}.{official}",
        huggingface=tuple(f"transformer_layers.{{i}}.{huggingface}.{name}" for name in names),
        form=form,
    )


KEY_MAPPINGS = (
    KeyMapping("posenc.Wr", ("positional_encoder.projector",)),
    KeyMapping("input_proj", ("input_projection",)),
    _layer("self_attn", "Wqkv", "self_attention", "q_proj", "k_proj", "v_proj", form="interleaved"),
    _layer("self_attn", "out_proj", "self_attention", "o_proj"),
    _layer("self_attn", "ffn.0", "self_mlp", "fc1"),
    _layer("self_attn", "ffn.1", "self_mlp", "layer_norm"),
    _layer("self_attn", "ffn.3", "self_mlp", "fc2"),
    _layer("cross_attn", "to_qk", "cross_attention", "q_proj", "k_proj", form="shared"),
    _layer("cross_attn", "to_q", "cross_attention", "q_proj", form="separate"),
    _layer("cross_attn", "to_k", "cross_attention", "k_proj", form="separate"),
    _layer("cross_attn", "to_v", "cross_attention", "v_proj"),
    _layer("cross_attn", "to_out", "cross_attention", "o_proj"),
    _layer("cross_attn", "ffn.0", "cross_mlp", "fc1"),
    _layer("cross_attn", "ffn.1", "cross_mlp", "layer_norm"),
    _layer("cross_attn", "ffn.3", "cross_mlp", "fc2"),
    KeyMapping("log_assignment.{i}.matchability", ("match_assignment_layers.{i}.matchability",)),
    KeyMapping("log_assignment.{i}.final_proj", ("match_assignment_layers.{i}.final_projection",)),
    KeyMapping("token_confidence.{i}.token.0", ("token_confidence.{i}.token",)),
)

# in official files, but not parameters: a computed buffer, a leftover of training
IGNORED_NAMES = re.compile(r"confidence_thresholds|log_assignment\.\d+\.r")

# Hugging Face's files contain the detector as well; its tensors are not part of LightGlue
DETECTOR_PREFIX = "keypoint_detector."


def shape_of(official: StateDict) -> LightGlueShape:
    """Infer the sizes of the network from its tensors, given under their official names; switches keep their defaults."""
    _, dim = _matrix_shape(official, "transformers.0.self_attn.Wqkv.weight")
    half_head_dim, position_dim = _matrix_shape(official, "posenc.Wr.weight")
    has_projection = "input_proj.weight" in official
    try:
        return LightGlueShape(
            input_dim=_matrix_shape(official, "input_proj.weight")[1] if has_projection else dim,
            dim=dim,
            layers=_count_layers(official),
            heads=max(1, dim // (2 * half_head_dim)),
            position_dim=position_dim,
            shared_qk=_shares_qk(official),
            token_confidence=_has_confidence(official),
        )
    except InvalidInput as error:
        raise WeightsError(f"cannot load LightGlue weights: {error}") from error


def _matrix_shape(official: StateDict, name: str) -> tuple[int, int]:
    shape = tuple(official[name].shape)
    if len(shape) != 2 or 0 in shape:
        raise WeightsError(
            f"cannot load LightGlue weights: {name} must be a matrix, got shape {shape}; check that the file is complete"
        )
    return shape[0], shape[1]


def format_of(names: StateDict | set[str]) -> Format:
    """Detect the format of a checkpoint from its tensor names."""
    if any(name.startswith(("transformer_layers.", "match_assignment_layers.")) for name in names):
        return "huggingface"
    return "old" if any(name.startswith("self_attn.") for name in names) else "official"


def to_official(
    state: StateDict, *, token_confidence: bool = True, what: str | None = None
) -> dict[str, Tensor]:
    """Convert a checkpoint of any format to the names of `LightGlue`: rename tensors, and merge them where needed.

    Args:
        state: Tensors of a matcher without a prefix, such as `recognize` finds them, and of a detector of transformers.
        token_confidence: Whether the network has heads of token confidence.
        what: Name of the weights for error messages.

    Returns:
        Tensors by official name. Separate projections of queries and keys of cross-attention become `to_q` and `to_k`
        in all layers if they differ in one.

    Raises:
        WeightsError: If a tensor is missing or unexpected.
    """
    source = format_of(state)
    state = {name: tensor for name, tensor in state.items() if not _is_ignored(name, source)}
    mappings = list(_expand(state, token_confidence=token_confidence))
    expected = {name for mapping in mappings for name in _names(mapping, source)}
    check_names(expected, set(state), what or f"LightGlue ({source} names)")
    return {
        mapping.official: _merge(mapping, [state[name] for name in _names(mapping, source)])
        for mapping in mappings
    }


def from_official(official: StateDict, target: Format) -> dict[str, Tensor]:
    """Convert a checkpoint from the names of `LightGlue`; the inverse of `to_official`.

    Args:
        official: Tensors under the names of `LightGlue`.
        target: Format of the result.

    Raises:
        WeightsError: If a tensor is missing or unexpected, or the target cannot hold separate projections of queries
            and keys.
    """
    if target != "huggingface" and not _shares_qk(official):
        raise WeightsError(
            f"cannot convert this LightGlue to {target} names: its cross-attention has separate projections of queries "
            "(to_q) and keys (to_k), which that format merges into one (to_qk); use the Hugging Face format"
        )
    mappings = list(_expand(official, token_confidence=_has_confidence(official)))
    check_names({mapping.official for mapping in mappings}, set(official), "LightGlue (official names)")
    converted: dict[str, Tensor] = {}
    for mapping in mappings:
        names = _names(mapping, target)
        converted.update(zip(names, _split(mapping, official[mapping.official], len(names)), strict=True))
    return converted


def _expand(state: StateDict, *, token_confidence: bool) -> Iterator[KeyMapping]:
    """Yield the rows of the table for each layer and parameter of a checkpoint."""
    layers = _count_layers(state)
    unused_form = "separate" if _shares_qk(state) else "shared"
    has_projection = any(name.startswith(("input_proj.", "input_projection.")) for name in state)
    for mapping in KEY_MAPPINGS:
        if mapping.form == unused_form or (mapping.official == "input_proj" and not has_projection):
            continue
        is_confidence = mapping.official.startswith("token_confidence")
        count = (layers - 1) * token_confidence if is_confidence else layers
        for i in range(count) if "{i}" in mapping.official else (0,):
            for parameter in ("weight",) if mapping.official == "posenc.Wr" else ("weight", "bias"):
                yield _expand_row(mapping, i, parameter)


def _expand_row(mapping: KeyMapping, i: int, parameter: str) -> KeyMapping:
    def expand(name: str) -> str:
        return f"{name.format(i=i)}.{parameter}"

    return KeyMapping(
        official=expand(mapping.official),
        huggingface=tuple(map(expand, mapping.huggingface)),
        old=None if mapping.old is None else expand(mapping.old),
        form=mapping.form,
    )


def _names(mapping: KeyMapping, target: Format) -> tuple[str, ...]:
    if target == "huggingface":
        return mapping.huggingface
    return (mapping.old,) if target == "old" and mapping.old else (mapping.official,)


def _merge(mapping: KeyMapping, tensors: list[Tensor]) -> Tensor:
    """Merge the tensors of one row to the official one."""
    if len(tensors) == 1:
        return tensors[0]
    if len({tensor.shape for tensor in tensors}) > 1:
        shapes = zip(mapping.huggingface, (tuple(tensor.shape) for tensor in tensors), strict=True)
        raise WeightsError(
            f"expected equal shapes, got {', '.join(f'{name} {shape}' for name, shape in shapes)}: LightGlue has as "
            "many key/value heads as attention heads; check that these weights belong to LightGlue"
        )
    if mapping.form == "interleaved":
        if not tensors[0].ndim:
            raise WeightsError(
                f"expected a vector or a matrix, got a number: {', '.join(mapping.huggingface)}"
            )
        return torch.stack(tensors, dim=1).flatten(0, 1)
    return tensors[0]


def _split(mapping: KeyMapping, tensor: Tensor, parts: int) -> list[Tensor]:
    """Split the official tensor of one row."""
    if parts == 1:
        return [tensor]
    if mapping.form == "interleaved":
        return [part.contiguous() for part in tensor.unflatten(0, (-1, parts)).unbind(1)]
    return [tensor.clone() for _ in range(parts)]


def _shares_qk(state: StateDict) -> bool:
    """Return whether queries and keys of cross-attention share their projection, in names of any format."""
    if any(".cross_attn.to_q." in name for name in state):
        return False
    queries = [name for name in state if ".cross_attention.q_proj." in name]
    keys = [name.replace(".q_proj.", ".k_proj.") for name in queries]
    return all(
        torch.equal(state[q], state[k].to(state[q].dtype))
        for q, k in zip(queries, keys, strict=True)
        if _comparable(state, q, k)
    )


def _has_confidence(official: StateDict) -> bool:
    """Return whether the network predicts the confidence of its tokens; one of a single layer does not need to."""
    return _count_layers(official) == 1 or any(name.startswith("token_confidence.") for name in official)


def _comparable(state: StateDict, name0: str, name1: str) -> bool:
    """Return whether both tensors exist with the same shape; other checks report it if they do not."""
    return name1 in state and state[name0].shape == state[name1].shape


def _count_layers(state: StateDict) -> int:
    pattern = re.compile(r"(?:log_assignment|match_assignment_layers)\.(\d{1,9})\.")
    layers = {int(found[1]) for name in state if (found := pattern.match(name))}
    if not layers:
        raise WeightsError(
            "these are not LightGlue weights: expected tensors named log_assignment.* or match_assignment_layers.*, "
            f"got {list_names(state)}; pass the checkpoint of the matcher"
        )
    missing = next((i for i in range(len(layers)) if i not in layers), None)
    if missing is not None:
        raise WeightsError(
            f"cannot load LightGlue weights: missing layer {missing} of log_assignment or match_assignment_layers, got "
            f"{list_names(map(str, layers))}; check that the file is complete"
        )
    return len(layers)


def _is_ignored(name: str, source: Format) -> bool:
    if source == "huggingface":
        return name.startswith(DETECTOR_PREFIX)
    return IGNORED_NAMES.fullmatch(name) is not None
