"""BatchFeature: what an image processor returns and a model takes with `**`."""

from typing import Any

from torch import Tensor


class BatchFeature(dict[str, Any]):
    """A dict whose values are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"this BatchFeature has no {name!r}, it has {', '.join(self)}") from None

    def to(self, *args: Any, **options: Any) -> "BatchFeature":
        """Move its tensors as `Tensor.to` does, in place; whole numbers keep their dtype."""
        for name, value in self.items():
            if isinstance(value, Tensor):
                moved = value.to(*args, **options)
                self[name] = moved if value.is_floating_point() else value.to(moved.device)
        return self
