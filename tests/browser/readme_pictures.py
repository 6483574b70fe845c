"""Make the README's pictures from the notebooks themselves: python tests/browser/readme_pictures.py"""

import io
import tempfile
from pathlib import Path

from lab import Lab, chromium, serve
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    DOCS.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="llmviz-readme-") as temporary,
        serve(Path(temporary) / "served") as server,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
    ):
        lab = Lab(browser, server, (1300, 2000))
        lab.open("00_the_loop")
        lab.command("application:toggle-left-area")
        lab.run_all()
        the_loop(lab)
        switchboard(lab)


def the_loop(lab: Lab) -> None:
    page = lab.page
    lab.picture("token_strip").scroll_into_view_if_needed()
    page.get_by_role("button", name="pick one", exact=True).click()
    expect(lab.picture("token_strip").locator(".lv-highlight")).to_have_count(1, timeout=20_000)
    slider = page.get_by_role("slider").first
    for _ in range(6):
        slider.press("ArrowLeft")
    save(page, lab.picture("next_token_bars"), "the_loop.png")


def switchboard(lab: Lab) -> None:
    lab.picture("switches").get_by_role("button", name="RoPE").click()
    after = lab.page.locator("figure.lv-token_strip").last
    after.scroll_into_view_if_needed()
    expect(after.locator(".lv-chip")).to_have_count(20, timeout=60_000)
    save(lab.page, lab.picture("switches"), "switchboard.png")


def save(page: Page, inside: object, name: str) -> None:
    """The whole output of the cell that holds a picture, in few colours so that the file stays small."""
    output = inside.locator("xpath=ancestor::*[contains(@class, 'jp-OutputArea-output')][1]")
    output.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    image = Image.open(io.BytesIO(output.screenshot())).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(DOCS / name, optimize=True)
    print(DOCS / name, image.size)


if __name__ == "__main__":
    main()
