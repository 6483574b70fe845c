"""The map on top of each notebook: the six stages, with this sentence's real shapes, and where you are."""

from __future__ import annotations

from pathlib import Path

import traitlets

from llmviz.model import Config, Model, Trace
from llmviz.views.kit.picture import Picture, lines
from llmviz.views.kit.theme import STAGES

NAMES = {
    "tokenization": "Tokenization",
    "embeddings": "Embeddings",
    "position": "Position",
    "attention": "Attention",
    "ffn": "FFN",
    "sampling": "Sampling",
}
RETURN = "the picked token joins the text, and the loop runs again"


def shapes(config: Config, n_tokens: int | None = None) -> list[str]:
    """What each stage handles, in the order of `STAGES`; without a sentence the number of tokens is "n"."""
    n = "n" if n_tokens is None else f"{n_tokens:,}"
    return [
        f"{n} token" if n == "1" else f"{n} tokens",
        f"{n} × {config.d_model:,}",
        "rotate q, k",
        f"{config.n_layers} × {config.n_heads} heads",
        f"{config.d_ff:,} neurons",
        f"{config.n_vocab:,} → 1",
    ]


class PipelineMap(Picture):
    """The stages in order: the current one solid, the others links to the notebooks that lie beside this one.

    source: a text's trace, or a view with a `trace`: the sizes are those of its text. here: the stage of this notebook,
    or None. links=False: clicking a stage sets the trait `picked` instead.
    """

    _static = "pipeline_map"
    _by_page = ("picked",)
    _data = ("here", "shapes")

    here = traitlets.Enum([*STAGES, None], None, allow_none=True).tag(sync=True)
    picked = traitlets.Enum([*STAGES, None], None, allow_none=True).tag(sync=True)
    links = traitlets.Bool(True).tag(sync=True)
    names = traitlets.List(traitlets.Unicode(), list(NAMES.values())).tag(sync=True)
    shapes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    bracket = traitlets.Unicode().tag(sync=True)
    # stage, or "loop" → file beside this notebook
    notebooks = traitlets.Dict(traitlets.Unicode()).tag(sync=True)

    def __init__(
        self,
        model: Model,
        source: Trace | traitlets.HasTraits | None = None,
        *,
        here: str | None = None,
        **traits,
    ):
        self._config = model.config
        n_layers = model.config.n_layers
        times = "× 1 layer; it adds" if n_layers == 1 else f"× {n_layers} layers, each adds"
        super().__init__(
            here=here,
            bracket=f"{times} to the residual stream",
            notebooks=_notebooks(Path.cwd()),
            **{"stage": here or "tokenization", **traits},
        )
        self.follow(source, self.show)

    def show(self, trace: Trace | None) -> None:
        """Another sentence: its shapes, in place."""
        self.shapes = shapes(self._config, trace and len(trace.tokens))

    def text(self) -> str:
        rows = [
            (("→ " if stage == self.here else "  ") + NAMES[stage], shape)
            for stage, shape in zip(STAGES, self.shapes)
        ]
        where = f": you are at {NAMES[self.here]}" if self.here else ""
        return (
            f"Map of the pipeline{where}\n{lines(rows)}\n"
            f"Attention and FFN: {self.bracket}. Position works inside attention. At the end {RETURN}."
        )


def _notebooks(folder: Path) -> dict[str, str]:
    """The notebooks that exist in a folder, by stage; a link to one that doesn't would lead nowhere."""
    files = {"loop": "00_the_loop.ipynb"} | {s: f"{i:02}_{s}.ipynb" for i, s in enumerate(STAGES, start=1)}
    return {stage: file for stage, file in files.items() if (folder / file).is_file()}
