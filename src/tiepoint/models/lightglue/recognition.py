"""Which network of the family a checkpoint is for: from the names and shapes of its tensors, never from its file name.

`recognize` removes what training frameworks add to the names, finds the prefix under which the tensors of LightGlue are,
chooses the row of `families`, and infers the shape. Loading is strict: a tensor that is missing or unexpected is an error
with its name, the nearest expected name, and the closest family.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tiepoint.errors import WeightsError
from tiepoint.models.checkpoint import list_names, load_strictly
from tiepoint.models.known_networks import known_network
from tiepoint.models.lightglue.checkpoint import (
    KEY_MAPPINGS,
    Format,
    KeyMapping,
    StateDict,
    format_of,
    shape_of,
    to_official,
)
from tiepoint.models.lightglue.families import FAMILIES, Family, family_of
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

WRAPPERS = frozenset({"module", "_orig_mod"})
"""Parts of tensor names that DistributedDataParallel, DataParallel and torch.compile add."""

OWN_FAMILY = "tiepoint_family"
"""Metadata of our own files: name of the family, which tensors under official names do not show."""

KEYNET_POSITIONS = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recognized:
    """A checkpoint of the family.

    Attributes:
        family: Row of `FAMILIES`.
        tensors: Tensors of the matcher by official name, in the file's floating-point type.
        shape: Sizes and switches of the network.
        format: Format of the names in the file.
        prefix: Prefix of the matcher's tensors in the file.
        ignored: Number of tensors of other networks in the file, by prefix.
        alternatives: Families whose files have the same names and shapes; `kind` chooses one of them.
    """

    family: Family
    tensors: dict[str, Tensor]
    shape: LightGlueShape
    format: Format
    prefix: str
    ignored: Mapping[str, int]
    alternatives: tuple[str, ...] = ()

    def network(self) -> LightGlue:
        """Build the network, in evaluation mode and in float32."""
        with torch.device("meta"):
            network = LightGlue(self.shape)
        tensors = {name: tensor.to(torch.float32) for name, tensor in self.tensors.items()}
        load_strictly(network, tensors, f"LightGlue ({self.family.name})")
        return network.eval()


def build(state: StateDict, metadata: Mapping[str, str] | None = None, kind: str | None = None) -> LightGlue:
    """Build a network from a checkpoint, in evaluation mode; its shape is inferred from the tensors.

    Args:
        state: Tensors of a checkpoint of the family.
        metadata: Metadata of a safetensors file.
        kind: Name of the family, where tensors cannot tell it; None recognizes it.

    Raises:
        WeightsError: If a tensor is missing or unexpected, or its shape does not fit the others.
    """
    return recognize(state, metadata, kind).network()


def recognize(
    state: StateDict, metadata: Mapping[str, str] | None = None, kind: str | None = None
) -> Recognized:
    """Find the family and the shape of a checkpoint.

    Args:
        state: Tensors of a checkpoint.
        metadata: Metadata of a safetensors file; ours name the family.
        kind: Name of the family, where tensors cannot tell it; None recognizes it.

    Raises:
        WeightsError: If these are not the tensors of a LightGlue, one is missing or unexpected, or `kind` is unknown or
            contradicts the tensors.
    """
    state = unwrapped(state)
    prefix = _matcher_prefix(state)
    matcher = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    others = {} if not prefix else {name: t for name, t in state.items() if not name.startswith(prefix)}
    named = (metadata or {}).get(OWN_FAMILY)
    family = family_of(named) if named else _family(matcher, prefix, set(others), kind)
    ignored = _ignored(others if prefix else matcher, family, prefix)
    matcher = {
        name: tensor for name, tensor in matcher.items() if prefix or not name.startswith(family.others)
    }
    tensors = to_official(
        _without_extra_layers(matcher, family),
        token_confidence=family.switches.get("token_confidence", True),
        what=f"LightGlue (closest family: {family.name})",
    )
    shape = shape_of(tensors)
    alternatives = () if named else _alternatives(family, shape)
    if kind is not None and kind != family.name:
        family = _chosen(family_of(kind), family, alternatives)
    return Recognized(
        family=family,
        tensors=tensors,
        shape=replace(shape, **family.switches),
        format=format_of(matcher),
        prefix=prefix,
        ignored=ignored,
        alternatives=alternatives,
    )


def unwrapped(state: StateDict) -> dict[str, Tensor]:
    """Remove the parts of tensor names that training frameworks add, such as "module." and "_orig_mod."."""
    return {
        ".".join(part for part in name.split(".") if part not in WRAPPERS): value
        for name, value in state.items()
    }


def _pattern(mapping: KeyMapping) -> str:
    names = {mapping.official, mapping.old or mapping.official, *mapping.huggingface}
    return "|".join(re.escape(name).replace(re.escape("{i}"), r"\d+") for name in sorted(names))


KNOWN_NAME = re.compile(
    rf"(?P<prefix>(?:.*?\.)?)(?:{'|'.join(map(_pattern, KEY_MAPPINGS))})\.(?:weight|bias)"
)


def _matcher_prefix(state: StateDict) -> str:
    """Return the prefix under which most tensors have names of LightGlue."""
    votes = Counter(found["prefix"] for name in state if (found := KNOWN_NAME.fullmatch(name)))
    if not votes:
        raise WeightsError(_not_lightglue(set(state)))
    return votes.most_common(1)[0][0]


def _not_lightglue(names: set[str]) -> str:
    network = known_network(names)
    found = f"these are weights of {network}" if network else f"got {list_names(names)}"
    return (
        f"these are not LightGlue weights: {found}; expected tensors named transformers.*, log_assignment.*, or "
        "those of another family (tiepoint weights inspect lists them); pass the checkpoint of the matcher"
    )


def _family(matcher: StateDict, prefix: str, others: set[str], kind: str | None) -> Family:
    if format_of(matcher) == "huggingface":
        return FAMILIES["huggingface"]
    has_confidence = any(name.startswith("token_confidence.") for name in matcher)
    has_loma_parts = any(name.startswith(FAMILIES["loma"].others) for name in matcher)
    if not has_confidence and (has_loma_parts or kind == "loma"):
        return FAMILIES["loma"]
    if prefix == "model." and any(name.startswith("superpoint.") for name in others):
        return FAMILIES["gim"]
    if prefix.startswith("matcher."):
        is_lighterglue = any(name.startswith("extractor.model.net.") for name in others)
        return FAMILIES["lighterglue" if is_lighterglue else "glue-factory"]
    encoding = matcher.get("posenc.Wr.weight")
    if encoding is not None and encoding.ndim == 2 and encoding.shape[1] == KEYNET_POSITIONS:
        return FAMILIES["keynet"]
    return FAMILIES["official"]


def _ignored(tensors: StateDict, family: Family, prefix: str) -> dict[str, int]:
    """Count the tensors of other networks; those that the family does not have are an error.

    Args:
        tensors: Tensors outside of the prefix; all tensors if there is none.
        family: Family of the file.
        prefix: Prefix of the matcher's tensors.
    """
    counts = Counter(
        next((other for other in family.others if name.startswith(other)), "") for name in tensors
    )
    unknown = counts.pop("", 0)
    if prefix and unknown:
        names = {name for name in tensors if not name.startswith(family.others)}
        raise WeightsError(
            f"cannot load LightGlue (closest family: {family.name}) weights: unexpected {list_names(names)} next to the "
            f"matcher under {prefix!r}; is this the file of another network?"
        )
    return dict(counts)


def _without_extra_layers(matcher: StateDict, family: Family) -> StateDict:
    """Leave out the layers that the project of a family does not run."""
    if family.max_layers is None:
        return matcher
    pattern = re.compile(r"(?:transformers|log_assignment)\.(\d{1,9})\.")
    return {
        name: tensor
        for name, tensor in matcher.items()
        if not ((found := pattern.match(name)) and int(found[1]) >= family.max_layers)
    }


def _alternatives(family: Family, shape: LightGlueShape) -> tuple[str, ...]:
    if family.name != "official":
        return ()
    inputs = (shape.input_dim, shape.position_dim)
    return tuple(row.name for row in FAMILIES.values() if row.shape == inputs)


def _chosen(chosen: Family, recognized: Family, alternatives: tuple[str, ...]) -> Family:
    if chosen.name in alternatives:
        return chosen
    can_be = ", ".join((recognized.name, *alternatives))
    raise WeightsError(
        f"kind {chosen.name!r} contradicts the tensors, which are of kind {can_be}; leave out the kind, or pass one of "
        "these"
    )
