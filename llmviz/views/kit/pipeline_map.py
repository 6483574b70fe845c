"""The map at the top of each notebook: the six stages, the shapes of this text's arrays, and where you are."""

from __future__ import annotations

from pathlib import Path

import traitlets

from llmviz.model import Config, Model, Trace
from llmviz.views.kit.numbers import amount
from llmviz.views.kit.picture import Picture, lines
from llmviz.views.kit.theme import STAGES

NAMES = {stage: "FFN" if stage == "ffn" else stage.capitalize() for stage in STAGES}


def shapes(config: Config, n_tokens: int | None = None) -> list[str]:
    """Return what each stage handles, in the order of `STAGES`; without a text, the number of tokens is "n"."""
    n = "n" if n_tokens is None else f"{n_tokens:,}"
    return [
        f"{n} token" if n == "1" else f"{n} tokens",
        f"{n} × {config.d_model:,}",
        "rotate pairs" if config.has_rope else "add a vector",
        amount(config.n_heads, "heads"),
        f"{config.d_ff:,} neurons",
        f"{config.n_vocab:,} → 1",
    ]


class PipelineMap(Picture):
    """The stages in order: the current one solid, the others links to the notebooks in the same folder.

    source: a trace, or a view with a `trace`, whose text has the shapes shown. here: the stage of this notebook, or
    None. links=False: a click on a stage sets the trait `picked` instead.
    """

    _static = "pipeline_map"
    _by_page = ("picked",)

    here = traitlets.Enum([*STAGES, None], None, allow_none=True).tag(sync=True)
    picked = traitlets.Enum([*STAGES, None], None, allow_none=True).tag(sync=True)
    links = traitlets.Bool(True).tag(sync=True)
    names = traitlets.List(traitlets.Unicode(), list(NAMES.values())).tag(sync=True)
    shapes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    bracket = traitlets.Unicode().tag(sync=True)
    position = traitlets.Unicode().tag(sync=True)  # where the third stage works
    # The files in this notebook's folder, by stage; "loop" is the front page.
    notebooks = traitlets.Dict(traitlets.Unicode()).tag(sync=True)

    def page_values(self) -> dict:
        return {"picked": [*STAGES, None]}

    def __init__(
        self,
        model: Model,
        source: Trace | traitlets.HasTraits | None = None,
        *,
        here: str | None = None,
        **traits,
    ):
        self._config, n = model.config, model.config.n_layers
        super().__init__(
            here=here,
            bracket=f"× {'1 layer; it' if n == 1 else f'{n} layers; each'} adds to the vectors",
            position="inside attention" if model.config.has_rope else "before attention",
            notebooks=_notebooks(Path.cwd()),
            **{"stage": here or "tokenization", **traits},
        )
        self.follow(source, self.show)

    def show(self, trace: Trace | None) -> None:
        """Show the shapes of another text."""
        self.shapes = shapes(self._config, trace and len(trace.tokens))

    def text(self) -> str:
        marks = ("→ " if stage == self.here else "  " for stage in STAGES)
        rows = [(mark + name, shape) for mark, name, shape in zip(marks, NAMES.values(), self.shapes)]
        where = f": you are at {NAMES[self.here]}" if self.here else ""
        return (
            f"Map of the pipeline{where}\n{lines(rows)}\nAttention and FFN: {self.bracket}. Position works "
            f"{self.position}. At the end the token joins the text, and the loop starts again."
        )


def _notebooks(folder: Path) -> dict[str, str]:
    """Return the notebooks in a folder, by stage. Others are left out, since their links would be dead."""
    files = {"loop": "00_the_loop.ipynb"} | {s: f"{i:02}_{s}.ipynb" for i, s in enumerate(STAGES, start=1)}
    return {stage: file for stage, file in files.items() if (folder / file).is_file()}
