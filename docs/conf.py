"""Sphinx builds the documentation: `make docs`."""

project = "route-sql"
author = "The route-sql authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "route-sql"
exclude_patterns = ["_build"]
autodoc_typehints = "description"
nitpicky = False
