"""Everything that a class uses of Voilà's internals. They are not a public interface, so we try each new version first.

pyproject.toml allows the versions that the tests have seen; tests/test_classroom.py holds that bound to `TESTED`.
"""

# The application: reads the template's folders (`setup_template_dirs`, `template_paths`, `static_paths`), makes the
# kernel manager and the settings (`init_settings`, `connection_dir`), and calls `init_handlers` and `listen`.
from voila.app import Voila

# A notebook as HTML, cell by cell, while it runs; `_jinja_kernel_start` is where its kernel starts.
from voila.notebook_renderer import NotebookRenderer

# What the page's script needs to know about the server, and which extensions of JupyterLab it loads.
from voila.utils import get_page_config

TESTED = ">=0.5.8,<=0.5.13"

__all__ = ["TESTED", "NotebookRenderer", "Voila", "get_page_config"]
