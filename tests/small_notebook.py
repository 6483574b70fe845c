"""A small notebook with everything that a page can hold, on a tiny model: quick to run, and quick to compute."""

from pathlib import Path

import nbformat

TEXTS = ["the cat sat on the dog", "the dog", "a mat"]
CELLS = [
    # The tiny model, and the text above everything.
    """
import os
os.environ["LLMVIZ_HOME"] = {home!r}
import llmviz
from dataclasses import dataclass
from llmviz import views
from llmviz.views.kit.controls import Sentences, toggles
from llmviz.views.kit.guess_first import GuessFirst, starts
from llmviz.views.kit.picture import Explorer
from llmviz.views.kit.state_fields import choice, line, number, replace, seed, selection, tick
from llmviz.views.kit.token_strip import TokenStrip
from llmviz.views.kit.view import View, explains, job, part, press, sentences
from llmviz.views.provenance import Explanation
prompt = views.Prompt(llmviz.load({model!r}), {text!r})
prompt
""",
    """
class Sum(View):
    stage = "sampling"
    @dataclass(frozen=True)
    class State:
        a: int = number(2, "a", 4)
        b: float = number(1.0, "b", 3.0, step=0.5)
        loud: bool = tick("loud")
        sign: str = choice("+", "Sign", ("+", "−", "·"))
        look: str = choice("plain", "Look", ("plain", "wide"), make=toggles)
    @sentences
    def total(self, scene):
        gap = " " * (scene.look == "wide")
        return [f"{scene.a}{gap}{scene.sign}{gap}{scene.b:g}{'!' * scene.loud}"]
Sum(None)
""",
    """
class Steps(View):
    @dataclass(frozen=True)
    class State:
        n: int = number(0, None, 9)
        to_go: int = number(0, None, 9)
    @press("Step", when=lambda view, scene: scene.n < 9)
    def step(self, state):
        return replace(state, n=state.n + 1)
    @press("Back", when=lambda view, scene: scene.n)
    def back(self, state):
        return replace(state, n=state.n - 1)
    @press(lambda view, scene: "" if scene.n or scene.to_go else "Three at once")
    def play(self, state):
        return replace(state, to_go=3)
    @press("Ask the class")
    def ask(self, state):
        return replace(state, n=9)
    def go(self, state):
        return replace(state, n=state.n + 1, to_go=state.to_go - 1)
    def by_itself(self, state):
        return Steps.go if state.to_go else None
    def needs_kernel(self):
        return [self.parts["ask"]]
    @sentences
    def count(self, scene):
        return [f"{scene.n} steps"]
Steps(None)
""",
    """
class Lengths(View):
    stage = "tokenization"
    @dataclass(frozen=True)
    class State:
        token: int | None = selection("strip")
        word: str = line("typed", "A word")
    @part(TokenStrip, [], caption="The text")
    def strip(self, scene):
        token = scene.token if scene.token in range(len(scene.run.tokens)) else None
        weights = [len(piece) / 9 for piece in scene.run.pieces]
        return {"pieces": scene.run.pieces, "weights": weights, "selected": token}
    @explains("strip")
    def explain(self, scene, place):
        piece = scene.run.pieces[place]
        return Explanation("a length", "counted", [("piece", piece)], "len(piece) / 9", len(piece) / 9)
    @job(start="Count all")
    def count(self, scene):
        yield 1.0, sum(map(len, scene.run.pieces))
    @sentences
    def said(self, scene):
        counted = scene.result("count")
        chosen = "nothing" if scene.token is None else f"token {scene.token}"
        return [f"{chosen} of {len(scene.run.tokens)}", "" if counted is None else f"{counted} letters"]
Lengths(prompt)
""",
    """
then = Explorer([Sentences(sentences=["</script> & six sevens"])])
views.Predict("What is 6 × 7?", answer=42, low=0, high=50, then=then)
""",
    """
class Count(GuessFirst):
    experiment, high = "count", 9
    copies_as_code = False
    begin = starts("Count")
    def question(self, scene):
        return "How far does it count?"
    def answer(self, scene):
        return 7
    @job()
    def count(self, scene):
        yield 1.0, 7
    @sentences
    def message(self, scene):
        return ["counted"] if scene.outcome else []
class Long(Count):
    def question(self, scene):
        return "How far does it count in an hour?"
    def needs_kernel(self):
        return [self.parts["card"], self.parts["begin"]]
Explorer([Count(None), Long(None)])
""",
    "print('1 < 2')",
]


def write(folder: Path, model: Path, home: Path) -> Path:
    """Write the notebook, with a title, a fold and the names of its texts; return its path."""
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# Ordinary & small\n\nSee [the other](other.ipynb) and [none](none.ipynb)."),
        v4.new_markdown_cell("Choose **Run → Run All Cells**.", metadata={"tags": ["jupyter-only"]}),
    ]
    first, *others = CELLS
    first = first.format(model=str(model), home=str(home), text=TEXTS[0])
    cells += [v4.new_code_cell(source.strip()) for source in (first, *others)]
    cells.append(v4.new_markdown_cell("## Deeper", metadata={"jp-MarkdownHeadingCollapsed": True}))
    cells.append(v4.new_markdown_cell("in the fold"))
    cells.append(v4.new_code_cell("Sum(None, 4)"))
    cells.append(v4.new_markdown_cell("## The end"))
    path = folder / "small.ipynb"
    nbformat.write(v4.new_notebook(cells=cells, metadata={"llmviz": {"texts": TEXTS}}), path)
    return path
