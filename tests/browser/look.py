"""Take screenshots of a notebook after Run All: the whole of it, and each picture on its own.

python tests/browser/look.py 04_attention --theme dark --out shots
python tests/browser/look.py 04_attention --voila --theme dark --out shots
"""

import argparse
import tempfile
from pathlib import Path

from lab import NOTEBOOKS, Lab, chromium, serve
from playwright.sync_api import sync_playwright

# The element that scrolls: the notebook's own in JupyterLab, another in Voilà.
FIND_SCROLLER = """
() => [...document.querySelectorAll("*")].find((node) =>
  node.scrollHeight > node.clientHeight + 40 && node.clientHeight > innerHeight / 2
  && (node === document.scrollingElement || /auto|scroll/.test(getComputedStyle(node).overflowY)))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", help='its name ("04_attention") or a path to one anywhere')
    parser.add_argument("--theme", choices=["light", "dark"], default="light")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the screenshots")
    parser.add_argument("--size", default="1400x1000", help="of the window; narrow ones show how things wrap")
    parser.add_argument("--voila", action="store_true", help="under Voilà instead of JupyterLab")
    options = parser.parse_args()

    path = Path(options.notebook)
    folder, name = (path.parent, path.stem) if path.suffix == ".ipynb" else (NOTEBOOKS, options.notebook)
    kind = "voila" if options.voila else "lab"
    extra = (f"--theme={options.theme}",) if options.voila else ()
    options.out.mkdir(parents=True, exist_ok=True)
    start = f"{options.out}/{name}_{options.theme}{'_voila' if options.voila else ''}"

    with (
        tempfile.TemporaryDirectory(prefix="llmviz-look-") as temporary,
        serve(Path(temporary) / "served", folder, kind, extra) as server,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
    ):
        lab = Lab(browser, server, tuple(int(n) for n in options.size.split("x")))
        lab.open(name, options.theme)
        if not options.voila:
            lab.command("application:toggle-left-area")
            print(f"Run All: {lab.run_all():.1f} s")
        lab.settle()
        pages(lab, start)
        pictures(lab, start)
        print(f"console errors: {lab.console or 'none'}")
        print(f"requests that left this machine: {lab.outside or 'none'}")
        print(f"errors in outputs: {lab.errors() or 'none'}")


def pages(lab: Lab, start: str) -> None:
    """The window, scrolled down step by step."""
    step = lab.size[1] - 160
    scroller = lab.page.evaluate_handle(FIND_SCROLLER).as_element()
    if scroller is None:  # all of it fits
        lab.page.screenshot(path=f"{start}_page_01.png")
        return
    for number in range(1, 100):
        scroller.evaluate("(node, top) => { node.scrollTop = top; }", (number - 1) * step)
        lab.page.wait_for_timeout(350)
        lab.page.screenshot(path=f"{start}_page_{number:02}.png")
        if scroller.evaluate("(node) => node.scrollTop + node.clientHeight >= node.scrollHeight - 4"):
            break


def pictures(lab: Lab, start: str) -> None:
    """Each picture of the kit, named by its place and kind."""
    for number, picture in enumerate(lab.pictures(), start=1):
        if not picture.is_visible():
            continue
        picture.scroll_into_view_if_needed()
        kind = next(c for c in picture.get_attribute("class").split() if c.startswith("lv-"))
        picture.screenshot(path=f"{start}_picture_{number:02}_{kind.removeprefix('lv-')}.png")


if __name__ == "__main__":
    main()
