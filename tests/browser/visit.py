"""A notebook of the series as a reader has it in JupyterLab, for all tests of a module."""

from collections.abc import Iterator

from browser.lab import Lab
from browser.violations import IN_JUPYTERLAB, OF_COLOUR, violations


def visit(lab: Lab) -> Iterator[Lab]:
    """Run all cells of an opened notebook for a module's tests; afterwards nothing may have gone wrong.

    At the end all folds are opened, and JupyterLab goes dark: every picture on the page must follow. axe-core may find
    nothing in either theme.
    """
    print(f"\nRun All of {lab.notebook}: {lab.run_all():.1f} s")
    assert lab.errors() == []
    yield lab
    assert len(lab.pictures()) > 5
    lab.command("notebook:expand-all-headings")
    lab.settle()
    assert violations(lab.page, *IN_JUPYTERLAB) == []
    lab.switch_theme("dark")
    assert violations(lab.page, *IN_JUPYTERLAB, rules=OF_COLOUR) == []
    assert lab.errors() == []
    assert lab.page.evaluate("window.hacked") is None
    assert lab.console == []
    assert lab.outside == []
