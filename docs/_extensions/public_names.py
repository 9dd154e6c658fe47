"""The reference as generated from docstrings: public names, code between single backticks, docs of constants."""

import ast
import importlib
import inspect
import re
import sys
from functools import cache
from itertools import pairwise
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.typing import stringify_annotation

PACKAGE = "tiepoint"
DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\(\))?")
PUBLIC_NAME = re.compile(rf"{PACKAGE}\.[a-zA-Z](?:[\w.]*\w)?(?:\(\))?")
PRIVATE_ARGUMENTS = re.compile(r", _\w+: .*(?=\))")
ALIASES = ("tiepoint.extraction.masks.MaskSource", "tiepoint.image.ImageSource")
"""Types that signatures show by name instead of written out; the longer ones first."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role, the transform and the handlers."""
    app.setup_extension("sphinx.ext.autodoc")
    app.add_role("code_or_link", code_or_link)
    app.add_transform(LinkPublicNames)
    app.connect("autodoc-process-signature", short_signature)
    app.connect("autodoc-process-docstring", docs_of_constant)
    app.connect("missing-reference", link_to_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def code_or_link(name: str, rawtext: str, text: str, lineno: int, inliner: Any, *_: Any) -> tuple[list, list]:
    """Role of `text` in docstrings: code, linked if it is a name that the reference documents."""
    literal = nodes.literal(rawtext, text, classes=["py", "py-obj"])
    if not DOTTED_NAME.fullmatch(text):
        return [literal], []
    return [link_to(text, literal, inliner.document.settings.env)], []


class LinkPublicNames(SphinxTransform):
    """Link code such as `tiepoint.match` in pages; a name that the reference does not document is a warning."""

    default_priority = 400
    history = ("changelog", "log")  # pages with names that may no longer exist

    def apply(self, **_: Any) -> None:
        """Replace the code by links."""
        for literal in list(self.document.findall(nodes.literal)):
            if isinstance(literal.parent, addnodes.pending_xref | nodes.reference | nodes.title):
                continue
            text = literal.astext()
            if PUBLIC_NAME.fullmatch(text) and not inspect.ismodule(resolve(text.removesuffix("()"))):
                literal.replace_self(
                    link_to(text, literal.deepcopy(), self.env, required=self.env.docname not in self.history)
                )


def link_to(text: str, content: nodes.Node, env: Any, *, required: bool = False) -> addnodes.pending_xref:
    """Link to the object that `text` names; without `required`, text that names none stays code."""
    link = addnodes.pending_xref("", content, refdomain="py", reftype="obj", required=required)
    link["reftarget"] = text.removesuffix("()")
    link["refdoc"] = env.docname
    link.attributes |= {key: env.ref_context.get(key) for key in ("py:module", "py:class")}
    return link


def short_signature(
    app: Sphinx, what: str, name: str, found: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Show type aliases by name; leave out arguments that begin with an underscore: they are last, with defaults."""
    if signature:
        signature = PRIVATE_ARGUMENTS.sub("", signature)
        for alias in ALIASES:
            signature = signature.replace(written_out(alias), f"~{alias}")
    return signature, returns


@cache
def written_out(alias: str) -> str:
    """Type alias as signatures write it out."""
    return stringify_annotation(resolve(alias), "smart")


def docs_of_constant(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Replace the docstring of a constant's type by the string after its definition."""
    if what == "data":
        lines[:] = [*inspect.cleandoc(constant_docs(name)).splitlines(), ""]


def constant_docs(name: str) -> str:
    """String after the definition of a constant, in whichever module of the package defines it."""
    short = name.rpartition(".")[2]
    found = resolve(name)
    for module in [module for key, module in sys.modules.items() if key.startswith(PACKAGE)]:
        if vars(module).get(short) is found and (docs := strings_after(module).get(short)):
            return docs
    raise ValueError(f"{name} has no docstring: write one after its definition")


@cache
def strings_after(module: Any) -> dict[str, str]:
    """Names that a module assigns, with the string after the assignment."""
    found = {}
    for definition, after in pairwise(ast.parse(inspect.getsource(module)).body):
        match definition, after:
            case (
                (ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)])),
                ast.Expr(value=ast.Constant(value=str(docs))),
            ):
                found[name] = docs
    return found


def link_to_public_name(app: Sphinx, env: Any, node: Any, content: Any) -> Any:
    """Resolve `tiepoint.matcher.Matcher` to the documented `tiepoint.Matcher`."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains["py"]
    name = public_name(node["reftarget"], domain.objects)
    if name is None:
        return None if node.get("required", True) else content
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)


def public_name(target: str, documented: Any) -> str | None:
    """Documented name of the object that is defined as `target`."""
    short = target.rpartition(".")[2]
    found = resolve(target)
    names = (name for name in documented if name.rpartition(".")[2] == short)
    return next((name for name in names if found is not None and resolve(name) is found), None)


@cache
def resolve(name: str) -> Any:
    """Object with a dotted name; None if there is none. A name without a module is looked up in `tiepoint`."""
    parts = name.split(".") if name.startswith(PACKAGE) else [PACKAGE, *name.split(".")]
    for number in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:number]))
        except ImportError:
            continue
        for part in parts[number:]:
            found = getattr(found, part, None)
        return found
    return None
