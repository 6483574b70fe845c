"""Where a notebook is read: in Jupyter, in a class, or as a page without a kernel."""

import os

VARIABLE = "LLMVIZ_WHERE"  # set for the kernels of pages and classes


def where() -> str:
    """Return "page", "class", or "notebook"."""
    return os.environ.get(VARIABLE, "notebook")
