"""The site: ``sphinx-build -W docs docs/_build``. Pages are Markdown, read by MyST."""

import inspect
import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from fastmlp import __version__

HERE = Path(__file__).parent
# Sphinx reads what is in this folder; the notebook lies among the other examples.
NOTEBOOK = HERE.parent / "examples" / "mnist.ipynb"
shutil.copyfile(NOTEBOOK, HERE / "mnist.ipynb")

project = "fastmlp"
author = "fastmlp contributors"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "jupyter_execute"]  # the latter has pictures of the notebook
myst_enable_extensions = ["colon_fence"]
# Headings that links may name, as in "promises.md#the-same-numbers".
myst_heading_anchors = 3
# The notebook shows the output that it was saved with; a test runs it.
nb_execution_mode = "off"

numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
# What scikit-learn's tools and other modules call, and properties that a class lists as attributes.
autodoc_default_options = {
    "exclude-members": "fit_encoded, file_content, file_state, from_file_state, model_, classes_, "
    "n_features_in_, feature_names_in_, scaling_, layer_sizes_, coefs_, intercepts_, "
    "get_metadata_routing, set_fit_request, set_partial_fit_request, set_score_request, "
    "set_callbacks",
}
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "pydata_sphinx_theme"
html_title = f"fastmlp {version}"
html_static_path = ["static"]
html_css_files = ["fastmlp.css"]
html_show_sourcelink = False
html_theme_options = {
    "github_url": "https://github.com/fastmlp/fastmlp",
    "logo": {"text": "fastmlp"},
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "how-to/index": []},
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {name: [] for name in ("index", "changelog", "faq", "start", "contributing")}


def link_pages(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Make links of pages named in docstrings, and text of references to scikit-learn's pages."""
    text = re.sub(r"``docs/([\w/-]+)\.md``", r":doc:`/\1`", "\n".join(lines))
    lines[:] = re.sub(r":ref:`([^`<]+) <\w+>`", r"\1", text).split("\n")


def show_settings(
    app: Sphinx, what: str, name: str, obj: Any, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show the settings of classes whose ``__new__``, which Sphinx would show, takes anything."""
    if what != "class" or signature != "(*args, **arguments)":
        return None
    known = inspect.signature(obj).parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in known]
    return str(inspect.Signature(plain)), returns


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-signature", show_settings)
    app.connect("autodoc-process-docstring", link_pages)
