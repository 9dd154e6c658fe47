"""Optional libraries: imported inside the function that needs them, with the pip command if they are missing."""

from importlib import import_module
from types import ModuleType

from tiepoint.errors import MissingDependency


def import_optional(module: str, *, purpose: str, install: str) -> ModuleType:
    """Import an optional library.

    Args:
        module: Dotted name of the module, for example `"plotly.graph_objects"`.
        purpose: Feature that needs the library, as the subject of "requires", for example `"the 3-D view"`.
        install: Requirement for pip, for example `"tiepoint[collection]"`.

    Returns:
        The module.

    Raises:
        MissingDependency: If the library is not installed or cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise MissingDependency(
            f"{purpose} requires {library}, which cannot be imported ({error}); run: pip install '{install}'"
        ) from error
