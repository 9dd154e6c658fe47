"""Directive `cli-reference`: every command of `tiepoint` with its arguments and options, from the code that parses them."""

import re
from collections.abc import Iterator
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tiepoint.cli import app as tiepoint
from tiepoint.cli.command_group import split_example
from tiepoint.cli.help_panels import group_options

CODE = re.compile(r"`([^`]+)`|(?<![\w-])--[a-z][\w-]*")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("cli-reference", CliReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class CliReference(SphinxDirective):
    """One section per command."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        command: Any = typer.main.get_command(tiepoint)
        return [section(each, context) for each, context in leaves(command, new_context(command, "tiepoint"))]


def new_context(command: Any, name: str, parent: Any = None) -> Any:
    """Context in which a command formats its help."""
    return command.make_context(name, [], parent=parent, resilient_parsing=True)


def leaves(command: Any, context: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the commands that are not groups, with their contexts, in the order of the help."""
    if not hasattr(command, "commands"):
        yield command, context
        return
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if not child.hidden:
            yield from leaves(child, new_context(child, name, context))


def section(command: Any, context: Any) -> nodes.section:
    """Title, help text, usage, example, arguments and options of a command."""
    name = context.command_path
    text, example = split_example(command.help)
    result = nodes.section(ids=[name.replace(" ", "-")], names=[name])
    result += nodes.title("", "", nodes.literal("", name))
    result += [paragraph(part) for part in text.split("\n\n")]
    result += console(command.get_usage(context).removeprefix("Usage: "))
    if example:
        result += [paragraph("Example:"), console(example)]
    arguments = [each for each in command.get_params(context) if each.param_type_name == "argument"]
    options = [each for each in command.get_params(context) if each.param_type_name == "option"]
    for title, parameters in {"Arguments": arguments, **group_options(options)}.items():
        result += described(title, parameters, context)
    return result


def described(title: str, parameters: list[Any], context: Any) -> list[nodes.Node]:
    """Title and definition list of a panel; nothing if it is empty."""
    records = [record for each in parameters if (record := each.get_help_record(context))]
    entries = nodes.definition_list()
    for names, text in records:
        entries += nodes.definition_list_item(
            "", nodes.term("", "", nodes.literal("", names)), nodes.definition("", paragraph(text))
        )
    return [nodes.rubric("", title), entries] if records else []


def console(text: str) -> nodes.literal_block:
    """A command line."""
    return nodes.literal_block(text, " ".join(text.split()), language="console")


def paragraph(text: str) -> nodes.paragraph:
    """A paragraph of plain text; what is between backticks, and options, are code."""
    line, end, result = " ".join(text.split()), 0, nodes.paragraph()
    for code in CODE.finditer(line):
        result += [nodes.Text(line[end : code.start()]), nodes.literal("", code[1] or code[0])]
        end = code.end()
    result += nodes.Text(line[end:])
    return result
