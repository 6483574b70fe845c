"""The sizes of another model file beside those of this model."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import ipywidgets

from llmviz.experiments import n_parameters
from llmviz.model import Model
from llmviz.views.differences.parameters import size
from llmviz.views.kit.controls import Told, button, row
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import clean
from llmviz.weights import read_gguf

SIZES_TOLD = ("n_layers", "n_heads", "n_kv_heads", "d_model", "d_head", "d_ff", "n_vocab", "n_ctx")


class SecondModel(Explorer):
    """A box for the path of a GGUF file; only its sizes are read, none of its numbers."""

    def __init__(self, model: Model):
        self._config, self._count = model.config, n_parameters(model)
        self.path = ipywidgets.Text(
            os.environ.get("LLMVIZ_MODEL", ""),
            placeholder="the path of a .gguf file",
            description="Another model",
            style={"description_width": "initial"},
            layout={"width": "min(640px, 98%)"},
        )
        self.read, self.told = button("Read its sizes", look="primary"), Told()
        self.read.on_click(self._read)
        super().__init__([row(self.path, self.read), self.told])

    def __repr__(self) -> str:
        return repr(self.told)

    def needs_kernel(self) -> list[ipywidgets.Widget]:
        return [self.read]

    @one_at_a_time
    def _read(self, _button=None) -> None:
        typed = self.path.value.strip()
        path = Path(typed).expanduser()
        try:
            if os.environ.get("LLMVIZ_CLASS"):
                raise ValueError("In a class no files are opened. On your own computer this works.")
            if not typed or not path.is_file():
                raise ValueError(
                    f"There is no file “{clean(typed)}”." if typed else "Type the path of a .gguf file."
                )
            other, _, tensors = read_gguf(path)
        except (ValueError, OSError, RuntimeError) as error:
            self.told.say(str(error))
            return
        mine, theirs = asdict(self._config), asdict(other)
        same = [name for name in SIZES_TOLD if mine[name] == theirs[name]]
        count = n_parameters(other, tied="output.weight" not in tensors)
        self.told.say(
            f"{clean(path.name)}: {count:,} parameters by the formula, {count / self._count:.3g} times as many as this "
            f"model; its file takes {8 * path.stat().st_size / count:.2g} bits a number.",
            "; ".join(
                f"{name} {theirs[name]:,} (here {mine[name]:,})" for name in SIZES_TOLD if name not in same
            ),
            f"The same: {', '.join(same)}." if same else "",
            "To run all notebooks on it, start them with the environment variable LLMVIZ_MODEL set to that path. It is "
            f"unpacked once, which takes {size(4 * count)} on the disk.",
        )
