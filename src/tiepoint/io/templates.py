"""HTML pages from jinja2 templates (`*.html.jinja`) that are next to the module that renders them."""

from typing import Any


def render_html(package: str, template: str, **values: Any) -> str:
    """Render an HTML template; all values are escaped unless they are marked as safe.

    Args:
        package: Dotted name of the package that contains the template, usually `__package__`.
        template: File name of the template.
        **values: Values of the template's variables; a missing one is an error.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
