"""Outputs of the models: objects that are also dicts and tuples, like the `ModelOutput` of transformers."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from jaxtyping import Float, Int
from torch import Tensor
from torch.utils import _pytree as pytree

ATTRIBUTE_ONLY = {"attribute_only": True}
"""Metadata of a field that is an attribute of the output, but neither a key nor an item of the tuple."""


class ModelOutput(OrderedDict[str, Any]):
    """Base class of outputs; subclasses are dataclasses whose fields default to None.

    Fields that are None are neither keys nor items: `output["matches"]`, `output[0]` and `output[:2]` refer to the
    others, in order. Iteration yields keys, as for a dict. A dict as the only argument sets the fields by name.
    """

    def __init_subclass__(cls) -> None:
        _register_pytree(cls)

    def __post_init__(self) -> None:
        names = [each.name for each in fields(self)]  # type: ignore[arg-type]
        first = self.__dict__.get(names[0])
        if isinstance(first, dict) and all(self.__dict__.get(name) is None for name in names[1:]):
            setattr(self, names[0], None)
            for name, value in first.items():
                setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in self._item_names():
            self._update_items()

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._item_names():
            raise KeyError(
                f"{type(self).__name__} has no field {key!r}; available: {', '.join(self._item_names())}"
            )
        setattr(self, key, value)

    def __getitem__(self, key: str | int | slice) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the fields that are not None, in order."""
        return tuple(self.values())

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return type(self), tuple(self.__dict__[each.name] for each in fields(self))  # type: ignore[arg-type]

    def copy(self) -> "ModelOutput":
        """Return a shallow copy."""
        return copy.copy(self)

    def __delitem__(self, key: str) -> NoReturn:
        raise TypeError(f"cannot delete fields of a {type(self).__name__}; set them to None")

    def pop(self, *_: Any, **__: Any) -> NoReturn:
        """Raise TypeError: the fields are fixed."""
        self.__delitem__("")

    def popitem(self, last: bool = True) -> NoReturn:
        """Raise TypeError: the fields are fixed."""
        self.__delitem__("")

    def setdefault(self, *_: Any, **__: Any) -> NoReturn:
        """Raise TypeError: the fields are fixed."""
        raise TypeError(f"cannot add fields to a {type(self).__name__}")

    def update(self, *_: Any, **__: Any) -> NoReturn:
        """Raise TypeError: the fields are fixed."""
        raise TypeError(f"cannot add fields to a {type(self).__name__}; set them as attributes")

    def _item_names(self) -> list[str]:
        return [each.name for each in fields(self) if not each.metadata.get("attribute_only")]  # type: ignore[arg-type]

    def _update_items(self) -> None:
        """Mirror the fields that are not None in the dict, in order."""
        for name in list(super().keys()):
            super().__delitem__(name)
        for name in self._item_names():
            if (value := self.__dict__.get(name)) is not None:
                super().__setitem__(name, value)


def _register_pytree(cls: type[ModelOutput]) -> None:
    """Let torch move, gather and compile outputs like other containers."""

    def flatten(output: ModelOutput) -> tuple[list[Any], list[str]]:
        names = [name for name, value in output.__dict__.items() if value is not None]
        return [output.__dict__[name] for name in names], names

    def unflatten(values: Any, names: Any) -> ModelOutput:
        return cls(**dict(zip(names, values, strict=True)))

    pytree.register_pytree_node(
        cls, flatten, unflatten, serialized_type_name=f"{cls.__module__}.{cls.__qualname__}"
    )


@dataclass
class LightGlueKeypointMatchingOutput(ModelOutput):
    """Matches of B pairs, padded to N, the maximum number of keypoints per image in the batch.

    Attributes:
        loss: Always None; training has its own entry point.
        matches: Index of the matched keypoint in the other image; -1 if unmatched.
        matching_scores: Scores of mutual matches, including those below the filter threshold; 0 elsewhere.
        keypoints: Keypoint coordinates (x / W, y / H) relative to the processed image before padding, float32;
            0 where padded.
        prune: Layer at which a keypoint was pruned (1 + survived prunings); the number of layers without pruning;
            0 where padded.
        mask: 1 for keypoints, 0 for padding.
        hidden_states: Hidden states on request, 7 per layer, each (2B, N, d or 2d): input, output of self-attention,
            input and output of its MLP, output of the layer, input and output of the MLP of cross-attention.
        attentions: Attention weights on request, 2 per layer (self, cross), each (2B, heads, N, N).
        image_sizes: Sizes (height, width) in px of the processed images before padding; only an attribute.
    """

    loss: Any = None
    matches: Int[Tensor, "b 2 n"] | None = None
    matching_scores: Float[Tensor, "b 2 n"] | None = None
    keypoints: Float[Tensor, "b 2 n 2"] | None = None
    prune: Int[Tensor, "b 2 n"] | None = None
    mask: Int[Tensor, "b 2 n"] | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    image_sizes: Int[Tensor, "b 2 2"] | None = field(default=None, metadata=ATTRIBUTE_ONLY)


@dataclass
class SuperPointKeypointDescriptionOutput(ModelOutput):
    """Keypoints of B images, padded to N, the maximum number of keypoints per image in the batch.

    Attributes:
        loss: Always None; the model is not trainable.
        keypoints: Keypoint coordinates (x / W, y / H) relative to the image before padding, float32; 0 where padded.
        scores: Detection scores; 0 where padded.
        descriptors: Unit descriptors; 0 where padded.
        mask: 1 for keypoints, 0 for padding.
        hidden_states: Outputs of the encoder's levels on request, each (B, channels, height, width).
        image_sizes: Sizes (height, width) in px of the images before padding; only an attribute.
    """

    loss: Any = None
    keypoints: Float[Tensor, "b n 2"] | None = None
    scores: Float[Tensor, "b n"] | None = None
    descriptors: Float[Tensor, "b n d"] | None = None
    mask: Int[Tensor, "b n"] | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    image_sizes: Int[Tensor, "b 2"] | None = field(default=None, metadata=ATTRIBUTE_ONLY)
