"""Make the pictures of the README and of docs/tour.md: python tests/browser/readme_pictures.py [06_sampling …]

`journey` is the moving one: the widget plays against a clock that this script turns on, frame by frame. It also makes
the preview that the front page shows before it runs.
"""

import io
import re
import sys
import tempfile
from pathlib import Path

from lab import NOTEBOOKS, Lab, chromium, serve
from PIL import Image
from playwright.sync_api import Locator, expect, sync_playwright

DOCS = Path(__file__).parents[2] / "docs"
WIDTH = 1200  # pixels of a picture; docs/tour.md shows them smaller
LARGEST = 150_000  # bytes of a file
MOVING = {"width": 800, "fps": 8, "largest": 1_500_000}  # pixels, frames a second, bytes

JOURNEY = """
import llmviz
from llmviz import views
views.Journey(llmviz.load().trace("The cat that I saw yesterday was"))
"""
# How the journey's seconds become the film's: up to this second of the journey, in so many seconds.
FILM = [
    *((1.0, 0.2), (6.4, 1.5), (15.0, 2.0), (15.5, 0.3), (21.0, 1.3), (26.5, 1.3), (28.0, 0.6)),
    *((31.0, 0.7), (32.5, 0.5), (35.6, 1.1), (41.6, 1.0)),  # layer 0, then those that are passed
    *((44.5, 1.0), (45.5, 0.7), (48.5, 1.2), (56.8, 1.0)),  # layer 13, then the rest
    *((62.5, 1.3), (65.8, 0.8), (69.0, 1.1), (71.5, 0.9), (76.6, 1.2)),
]


def main(names: list[str]) -> None:
    DOCS.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="llmviz-readme-") as temporary,
        serve(Path(temporary) / "served") as server,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
    ):
        lab = Lab(browser, server, (1300, 2000))
        if "journey" in names:
            server.write("scratch", JOURNEY)
            the_journey(lab)
        for name in names:
            if name == "journey":
                continue
            lab.open(name)
            lab.command("application:toggle-left-area")
            lab.run_all()
            TELLING[name](lab)
            assert not lab.errors(), lab.errors()


def the_journey(lab: Lab) -> None:
    """Let it play, take a picture every so often, and put them together as an animated WebP."""
    lab.open("scratch")
    lab.command("application:toggle-left-area")
    lab.page.set_viewport_size({"width": 1180, "height": 1000})
    lab.run_all()
    stage = drawn(lab, "journey").locator(".lv-j-stage")
    lab.page.clock.install()
    lab.page.clock.pause_at(lab.page.evaluate("Date.now()") + 1000)
    stage.get_by_role("button", name="Play", exact=True).click()
    lab.page.mouse.move(0, 0)
    frames, at = [], 0.0
    for until, seconds in FILM:
        n = max(1, round(seconds * MOVING["fps"]))
        for _ in range(n):
            frames.append(shot(stage))
            lab.page.clock.run_for(round(1000 * (until - at) / n))
        at = until
    frames += [shot(stage)] * MOVING["fps"]  # the end stays for a moment
    frames = [frame.resize(frames[0].size) for frame in frames]  # a caption of two lines is a pixel higher
    file = DOCS / "journey.webp"
    for quality in (80, 65, 50, 35):
        options = {"quality": quality, "method": 4, "loop": 0, "duration": 1000 // MOVING["fps"]}
        frames[0].save(file, save_all=True, append_images=frames[1:], **options)
        if file.stat().st_size < MOVING["largest"]:
            break
    each = 4  # frames of which the preview has one
    small = [frame.resize((640, round(frame.height * 640 / frame.width))) for frame in frames[::each]]
    options |= {"quality": 20, "duration": each * options["duration"]}
    small[0].save(NOTEBOOKS / "preview.webp", save_all=True, append_images=small[1:], **options)
    print(file, frames[0].size, f"{len(frames)} frames, {file.stat().st_size / 1000:.0f} kB")


def shot(shown: Locator, margin: int = 12) -> Image.Image:
    box = shown.bounding_box()
    clip = {"x": box["x"] - margin, "y": box["y"] - margin} | {
        side: box[side] + 2 * margin for side in ("width", "height")
    }
    image = Image.open(io.BytesIO(shown.page.screenshot(clip=clip))).convert("RGB")
    height = round(image.height * MOVING["width"] / image.width)
    return image.resize((MOVING["width"], height), Image.Resampling.LANCZOS)


def the_loop(lab: Lab) -> None:
    show_what_answers(lab, 0)
    explorer = (
        lab.page.locator(".lv-explorer").filter(has=lab.page.get_by_role("button", name="Pick one")).last
    )
    explorer.get_by_role("button", name="Pick one", exact=True).click()
    expect(explorer.locator(".lv-chip")).to_have_count(1, timeout=20_000)
    save(explorer, "00_the_loop")

    lab.picture("switches").get_by_role("button", name="RoPE").click()
    after = lab.page.locator("figure.lv-token_strip").last
    after.scroll_into_view_if_needed()
    expect(after.locator(".lv-chip")).to_have_count(20, timeout=60_000)
    save(output_of(lab.picture("switches")), "switchboard")


def tokenization(lab: Lab) -> None:
    show_what_answers(lab, 2)
    replay = drawn(lab, "merge_replay")
    replay.get_by_label("merge step", exact=True).press("End")
    save(replay, "01_tokenization")


def embeddings(lab: Lab) -> None:
    show_what_answers(lab, 4)
    save(drawn(lab, "flat_map"), "02_embeddings")


def position(lab: Lab) -> None:
    show_what_answers(lab, 3)
    save(drawn(lab, "rope_dial", 1), "03_position")


def attention(lab: Lab) -> None:
    show_what_answers(lab, 2)
    save(drawn(lab, "head_grid"), "04_attention")


def ffn(lab: Lab) -> None:
    explorer = lab.page.locator(".lv-explorer").filter(has_text="We replace the vector at").last
    explorer.get_by_role("button", name="Show me").click()
    expect(explorer.get_by_text(re.compile(r"0 to \d+"))).to_be_visible(timeout=120_000)
    save(explorer.locator("figure.lv-patch_map"), "05_ffn")


def sampling(lab: Lab) -> None:
    show_what_answers(lab, 1)
    save(drawn(lab, "sampler_cards"), "06_sampling")


def text(lab: Lab) -> None:
    lab.page.get_by_role("button", name="Show me").nth(1).click()
    train = lab.page.get_by_role("button", name="Train", exact=True).first
    train.scroll_into_view_if_needed()
    train.click()
    expect(lab.page.get_by_text(re.compile(r"\b600 \w+ 600\b")).first).to_be_visible(timeout=600_000)
    save(output_of(drawn(lab, "line_plot")), "07_text")


def size(lab: Lab) -> None:
    show_what_answers(lab, 4)
    save(drawn(lab, "model_sizes"), "08_size")


def fine_tuning(lab: Lab) -> None:
    show_what_answers(lab, 0)
    answers = lab.page.get_by_role("table").filter(has_text="Not taught")
    expect(answers).to_be_visible(timeout=600_000)
    save(answers, "09_fine_tuning")


# What is worth a picture in each notebook.
TELLING = {
    "00_the_loop": the_loop,
    "01_tokenization": tokenization,
    "02_embeddings": embeddings,
    "03_position": position,
    "04_attention": attention,
    "05_ffn": ffn,
    "06_sampling": sampling,
    "07_text": text,
    "08_size": size,
    "09_fine_tuning": fine_tuning,
}


def show_what_answers(lab: Lab, nth: int) -> None:
    """Press "Show me" on the nth guess card: its picture is hidden until then."""
    guess = lab.picture("predict", nth)
    guess.scroll_into_view_if_needed()
    guess.get_by_role("button", name="Show me").click()


def drawn(lab: Lab, kind: str, nth: int = 0) -> Locator:
    """A picture, once it is on the screen and painted."""
    picture = lab.picture(kind, nth)
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("data-lv-theme", re.compile("light|dark"))
    lab.settle()
    return picture


def output_of(inside: Locator) -> Locator:
    """The whole output of the cell that holds a picture."""
    return inside.locator("xpath=ancestor::*[contains(@class, 'jp-OutputArea-output')][1]")


def save(shown: Locator, name: str) -> None:
    """In few colours, so that the file stays small."""
    shown.scroll_into_view_if_needed()
    shown.page.mouse.move(0, 0)  # nothing pointed at
    shown.page.wait_for_timeout(500)
    image = Image.open(io.BytesIO(shown.screenshot())).convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    file = DOCS / f"{name}.png"
    for colours in (128, 64, 32):
        image.quantize(colours, dither=Image.Dither.NONE).save(file, optimize=True)
        if file.stat().st_size < LARGEST:
            break
    print(file, image.size, f"{file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:] or ["journey", *sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))])
