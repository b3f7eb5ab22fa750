"""The site: ``sphinx-build -W docs docs/_build``. Pages are Markdown, read by MyST."""

import shutil
from pathlib import Path

from fastmlp import __version__

HERE = Path(__file__).parent
# Sphinx reads what is in this folder; the notebook lies among the other examples.
NOTEBOOK = HERE.parent / "examples" / "mnist.ipynb"
if NOTEBOOK.exists():
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
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
# Headings that links may name, as in "promises.md#the-same-numbers".
myst_heading_anchors = 3
# The notebook shows the output that it was saved with; a test runs it.
nb_execution_mode = "off"
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "pydata_sphinx_theme"
html_title = f"fastmlp {version}"
html_static_path = ["static"]
html_css_files = ["fastmlp.css"]
html_theme_options = {
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"changelog": [], "faq": [], "start": []}
