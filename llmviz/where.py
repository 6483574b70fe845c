"""Where a notebook is read: in Jupyter, in a class, or as a page without a kernel."""

import os

VARIABLE = "LLMVIZ_WHERE"  # whoever starts a kernel for a page or a class sets it there


def where() -> str:
    """Return "page", "class", or "notebook"."""
    return os.environ.get(VARIABLE, "notebook")
