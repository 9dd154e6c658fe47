"""One table of the names that LightGlue's parameters have in each family of checkpoints, used in all directions.

- official: what `LightGlue` here and cvg/LightGlue use, `transformers.0.self_attn.Wqkv.weight`;
- old official: the first releases of the same, `self_attn.0.Wqkv.weight`;
- Hugging Face: transformers' `LightGlueForKeypointMatching`, `transformer_layers.0.self_attention.q_proj.weight`.

Everything is strict: a tensor that is missing, unexpected or of another shape is an error that names it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tiepoint.errors import WeightsError
from tiepoint.models.checkpoint import check_names, list_names, load_strictly
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

Family = Literal["official", "old", "huggingface"]
StateDict = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Tie:
    """One row: a parameter's name in each family.

    `form` says how one official tensor becomes the tensors of Hugging Face: "same"; "interleaved" = rows in turn of
    query, key and value, as in Wqkv; "shared" = equal copies.
    """

    official: str
    huggingface: tuple[str, ...]
    old: str | None = None
    form: Literal["same", "interleaved", "shared"] = "same"


def _layer(
    block: str,
    official: str,
    huggingface: str,
    *names: str,
    form: Literal["same", "interleaved", "shared"] = "same",
) -> Tie:
    prefix = f"transformer_layers.{{i}}.{huggingface}"
    return Tie(
        official=f"transformers.{{i}}.{block}.{official}",
        old=f"{block}.{{i}}.{official}",
        huggingface=tuple(f"{prefix}.{name}" for name in names),
        form=form,
    )


TIES = (
    Tie("posenc.Wr", ("positional_encoder.projector",)),
    Tie("input_proj", ("input_projection",)),
    _layer("self_attn", "Wqkv", "self_attention", "q_proj", "k_proj", "v_proj", form="interleaved"),
    _layer("self_attn", "out_proj", "self_attention", "o_proj"),
    _layer("self_attn", "ffn.0", "self_mlp", "fc1"),
    _layer("self_attn", "ffn.1", "self_mlp", "layer_norm"),
    _layer("self_attn", "ffn.3", "self_mlp", "fc2"),
    _layer("cross_attn", "to_qk", "cross_attention", "q_proj", "k_proj", form="shared"),
    _layer("cross_attn", "to_v", "cross_attention", "v_proj"),
    _layer("cross_attn", "to_out", "cross_attention", "o_proj"),
    _layer("cross_attn", "ffn.0", "cross_mlp", "fc1"),
    _layer("cross_attn", "ffn.1", "cross_mlp", "layer_norm"),
    _layer("cross_attn", "ffn.3", "cross_mlp", "fc2"),
    Tie("log_assignment.{i}.matchability", ("match_assignment_layers.{i}.matchability",)),
    Tie("log_assignment.{i}.final_proj", ("match_assignment_layers.{i}.final_projection",)),
    Tie("token_confidence.{i}.token.0", ("token_confidence.{i}.token",)),
)

DROPPED = re.compile(r"confidence_thresholds|log_assignment\.\d+\.r")
"""Found in official files, and not parameters: a computed buffer, a leftover of training."""

DETECTOR_PREFIX = "keypoint_detector."
"""Hugging Face's files hold the detector beside the matcher; its tensors are not LightGlue's."""


def build(state: StateDict) -> LightGlue:
    """Make the network whose weights these are, in evaluation mode; its shape is read off the tensors.

    Args:
        state: the tensors of a checkpoint of any family.

    Raises:
        WeightsError: a tensor is missing, unexpected, or its shape doesn't fit the others.
    """
    official = to_official(state)
    with torch.device("meta"):
        network = LightGlue(shape_of(official))
    load_strictly(network, official, "LightGlue")
    return network.eval()


def shape_of(official: StateDict) -> LightGlueShape:
    """Read input, width, layers, heads and position inputs off the tensors, under their official names."""
    dim = official["transformers.0.self_attn.Wqkv.weight"].shape[1]
    half_head, position_dim = official["posenc.Wr.weight"].shape
    projection = official.get("input_proj.weight")
    return LightGlueShape(
        input_dim=dim if projection is None else projection.shape[1],
        dim=dim,
        layers=_count_layers(official),
        heads=max(1, dim // (2 * half_head)),
        position_dim=position_dim,
    )


def family_of(names: StateDict | set[str]) -> Family:
    """Which family's names these are."""
    if any(name.startswith(("transformer_layers.", "match_assignment_layers.")) for name in names):
        return "huggingface"
    return "old" if any(name.startswith("self_attn.") for name in names) else "official"


def to_official(state: StateDict) -> dict[str, Tensor]:
    """Rename, and where needed merge, the tensors of any family to the official form.

    Raises:
        WeightsError: a tensor is missing or unexpected, or shared tensors differ.
    """
    family = family_of(state)
    state = {name: tensor for name, tensor in state.items() if not _is_dropped(name, family)}
    ties = list(_ties_of(state))
    used = [name for tie in ties for name in _names(tie, family)]
    check_names(set(used), set(state), f"LightGlue ({family} names)")
    return {tie.official: _merge(tie, [state[name] for name in _names(tie, family)]) for tie in ties}


def from_official(official: StateDict, family: Family) -> dict[str, Tensor]:
    """The inverse of `to_official`.

    Raises:
        WeightsError: a tensor is missing or unexpected.
    """
    ties = list(_ties_of(official))
    check_names({tie.official for tie in ties}, set(official), "LightGlue (official names)")
    renamed = {}
    for tie in ties:
        names = _names(tie, family)
        renamed.update(zip(names, _split(tie, official[tie.official], len(names)), strict=True))
    return renamed


def _ties_of(state: StateDict) -> Iterator[Tie]:
    """The table's rows spelled out for the number of layers that `state` has."""
    layers = _count_layers(state)
    projects = any(name.startswith(("input_proj.", "input_projection.")) for name in state)
    for tie in TIES:
        if tie.official == "input_proj" and not projects:
            continue
        count = layers - 1 if tie.official.startswith("token_confidence") else layers
        for i in range(count) if "{i}" in tie.official else (0,):
            for parameter in ("weight",) if tie.official == "posenc.Wr" else ("weight", "bias"):
                yield _spelled_out(tie, i, parameter)


def _spelled_out(tie: Tie, i: int, parameter: str) -> Tie:
    def spell(name: str) -> str:
        return f"{name.format(i=i)}.{parameter}"

    return Tie(spell(tie.official), tuple(map(spell, tie.huggingface)), tie.old and spell(tie.old), tie.form)


def _names(tie: Tie, family: Family) -> tuple[str, ...]:
    if family == "huggingface":
        return tie.huggingface
    return (tie.old,) if family == "old" and tie.old else (tie.official,)


def _merge(tie: Tie, tensors: list[Tensor]) -> Tensor:
    if len(tensors) == 1:
        return tensors[0]
    if len({tensor.shape for tensor in tensors}) > 1:
        shapes = ", ".join(
            f"{name} {tuple(t.shape)}" for name, t in zip(tie.huggingface, tensors, strict=True)
        )
        raise WeightsError(
            f"{shapes} must have one shape: LightGlue has as many key/value heads as attention heads; "
            "these weights are another network's"
        )
    if tie.form == "interleaved":
        return torch.stack(tensors, dim=1).flatten(0, 1)
    if not torch.equal(*tensors):
        raise WeightsError(
            f"{' and '.join(tie.huggingface)} must be equal, because LightGlue shares them as {tie.official}, "
            "but they differ; was this network trained with separate projections?"
        )
    return tensors[0]


def _split(tie: Tie, tensor: Tensor, parts: int) -> list[Tensor]:
    if parts == 1:
        return [tensor]
    if tie.form == "interleaved":
        return [part.contiguous() for part in tensor.unflatten(0, (-1, parts)).unbind(1)]
    return [tensor.clone() for _ in range(parts)]


def _count_layers(state: StateDict) -> int:
    pattern = re.compile(r"(?:log_assignment|match_assignment_layers)\.(\d+)\.")
    layers = {int(found[1]) for name in state if (found := pattern.match(name))}
    if not layers:
        raise WeightsError(
            f"these are not LightGlue's weights: no tensor is called log_assignment.* or match_assignment_layers.*, "
            f"but {list_names(state)}; pass the matcher's checkpoint"
        )
    return max(layers) + 1


def _is_dropped(name: str, family: Family) -> bool:
    if family == "huggingface":
        return name.startswith(DETECTOR_PREFIX)
    return DROPPED.fullmatch(name) is not None
