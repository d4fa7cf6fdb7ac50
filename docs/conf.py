"""Sphinx builds the documentation: `make docs`."""

from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

project = "route-sql"
author = "The route-sql authors"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "route-sql"
exclude_patterns = ["_build"]
autoclass_content = "both"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
nitpicky = False


def setup(app: Sphinx) -> None:
    """Read docstrings in Google's style. The extension itself takes words before a colon for an attribute's type."""
    app.connect("autodoc-process-docstring", read_google_style)


def read_google_style(app: Sphinx, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Turn the sections of a docstring into Sphinx's fields; an attribute has none."""
    if what not in ("attribute", "data", "property"):
        lines[:] = GoogleDocstring(lines, Config(), app, what, name, of, options).lines()
