"""Ask axe-core what on an open page hinders a reader: `assert violations(page) == []`."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# What a notebook shows inside JupyterLab; everything around it is JupyterLab's own.
IN_JUPYTERLAB = (".jp-Notebook .jp-OutputArea-output", ".jp-Notebook .jp-RenderedMarkdown")
# JupyterLab and Voilà give the picture that a cell outputs no text, and nothing in the output can.
NOT_OURS = (".jp-RenderedImage > img",)
# What another theme can break. The other rules read the same elements in every theme.
OF_COLOUR = ("color-contrast",)


def violations(page: Page, *within: str, rules: tuple[str, ...] = ()) -> list[str]:
    """Return what each element violates, of those inside these selectors or of the whole page.

    rules: their names in axe-core; without any, all that it has on by default.
    """
    context = {"exclude": [*NOT_OURS]}
    if within:  # axe-core refuses a selector that nothing matches
        context["include"] = [selector for selector in within if page.locator(selector).count()]
    options = {"resultTypes": ["violations"], "preload": False}  # all style sheets are there by now
    if rules:
        options["runOnly"] = [*rules]
    found = Axe().run(page, context, options).response["violations"]
    return [
        f"{rule['id']}: {node['target']}\n{node['html']}\n{node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]
