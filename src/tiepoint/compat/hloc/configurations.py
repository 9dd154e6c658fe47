"""Configurations by hloc's names, and checks of their options."""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.options import reject_unknown
from tiepoint.io.messages import unknown_name

Configuration: TypeAlias = dict[str, Any]
"""hloc's form: "output" (stem of the file), "model" ("name" and its options), and "preprocessing" of extractors."""


class UnknownConfiguration(InvalidInput, KeyError):
    """A name is not in a table of configurations; also a KeyError, as of other dictionaries."""

    __str__ = Exception.__str__  # KeyError quotes its message


class Configurations(dict[str, Configuration]):
    """Configurations by name; a name of hloc that tiepoint cannot serve is an error that says what to use.

    Args:
        configurations: Available configurations.
        unavailable: Names of hloc's other configurations, and what to use instead.
    """

    def __init__(self, configurations: Mapping[str, Configuration], unavailable: Mapping[str, str]) -> None:
        super().__init__(configurations)
        self.unavailable = dict(unavailable)

    def __missing__(self, name: str) -> Configuration:
        if name in self.unavailable:
            raise UnknownConfiguration(
                f"hloc's configuration {name!r} is not available in tiepoint; use {self.unavailable[name]}"
            )
        raise UnknownConfiguration(unknown_name("configuration", name, self))


def model_options(
    conf: Mapping[str, Any], known: Mapping[str, Collection[str]]
) -> tuple[str, dict[str, Any]]:
    """Return the name of a configuration's model and its options.

    Args:
        conf: Configuration.
        known: Names of the options of each model.

    Raises:
        InvalidInput: If there is no model, or the model or an option is unknown.
    """
    if not isinstance(conf, Mapping) or "name" not in conf.get("model", {}):
        raise InvalidInput(
            f"expected a configuration such as confs['aliked-n16'], with model and name, got {conf!r}"
        )
    options = dict(conf["model"])
    name = options.pop("name")
    if name not in known:
        raise InvalidInput(
            f"{unknown_name('model', name, known)}; run other models in hloc itself, whose files are read here"
        )
    reject_unknown(f"model {name!r}", options, known[name])
    return name, options
