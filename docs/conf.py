"""Configuration of the documentation site: `make docs` builds it into build/docs/latest."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent / "src"), str(DOCS / "_extensions")]  # document this checkout

import tiepoint  # noqa: E402

project = "tiepoint"
author = "The tiepoint authors"
copyright = "The tiepoint authors"  # noqa: A001
release = version = tiepoint.__version__

extensions = [
    "myst_parser",
    "cli_reference",
    "public_names",
    "web_page",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!tiepoint).*"),  # other packages: their inventories are not on this machine
    # inner types, which signatures name, but which nobody creates
    (
        r"py:class",
        r"tiepoint\.(matching\.latency|models\.lightglue|video\.live|video\.decoding|io\.stages|runtimes\.manifest|exporting\.parity)\..*",
    ),
]

autodoc_default_options = {"members": True, "member-order": "bysource"}
default_role = "code_or_link"
smartquotes = False  # help texts of commands are shown as they are
python_use_unqualified_type_names = True
exclude_patterns = ["_extensions", "_templates"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = "tiepoint"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/versions.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_show_search_summary = False  # summaries are fetched, which a browser refuses for files
html_css_files = ["tiepoint.css"]
html_js_files = ["tiepoint.js"]
html_copy_source = False
html_show_sourcelink = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
