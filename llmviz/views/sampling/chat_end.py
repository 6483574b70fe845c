"""Where an answer ends, with and without the chat template."""

from __future__ import annotations

from llmviz import ops
from llmviz.model import Model, Step
from llmviz.sampling import Sampler
from llmviz.views.kit.picture import one_at_a_time, percent
from llmviz.views.kit.text_box import TextBox
from llmviz.views.sampling.side_by_side import SideBySide
from llmviz.views.sampling.written_text import Place, WrittenText, place

CAPTIONS = (
    "With the chat template (dashed: what it adds)",
    "Without it: the same weights, the bare question",
)


class ChatEnd(SideBySide):
    """A question with and without the chat template: what is written, and the end token's probability at each place."""

    def __init__(self, model: Model, question: str, n: int = 40):
        self._n = n
        label = "probability that the end token comes here"
        texts = [
            WrittenText(model, scale="weight", shade_label=label, caption=caption) for caption in CAPTIONS
        ]
        box = TextBox(model, question, label="Your question", live=False)
        super().__init__(model, box, texts, controls=[(), ()], above=())
        self.box.observe(self.draw, "tokens")
        self.draw()

    @one_at_a_time
    def draw(self, _change=None) -> None:
        """Write both answers again, always the likeliest token."""
        self._places: list[list[Place]] = [[], []]
        self._ends: list[list[float]] = [[], []]  # the end token's probability at each place
        bare = self.box.tokens
        self.show(bool(bare))
        if not bare:
            return
        for told in self.told:
            told.say("Writing, always the likeliest token …")
        try:
            chat, added = self._templated(bare)
        except ValueError as error:  # a model of another kind
            self.told[0].say(f"No answer here: {error}.")
            chat, added = [], []
        self._prompts, self._marked = [chat, bare], [added, []]
        for text, prompt, marked in zip(self.texts, self._prompts, self._marked):
            text.show(prompt, [], marked=marked)
        self.write(self._prompts, [Sampler(temperature=0)] * 2, self._n)

    def _templated(self, question: list[int]) -> tuple[list[int], list[int]]:
        """The question in its template, as ids; and the places of what the template adds."""
        tokenizer = self._model.tokenizer
        full, empty = (
            tokenizer.encode_chat([{"role": "user", "content": content}])
            for content in (tokenizer.decode(question), "")
        )
        start = next((i for i, (a, b) in enumerate(zip(full, empty)) if a != b), len(empty))
        end = len(full) - (len(empty) - start)
        return full, [i for i in range(len(full)) if not start <= i < end]

    def wrote(self, side: int, step: Step) -> None:
        places, ends = self._places[side], self._ends[side]
        places.append(place(step.logits, token=step.token, n=5))
        ends.append(float(ops.softmax(step.logits)[self._model.tokenizer.eos_token]))
        notes = [
            f"end token {percent(end)}, this one {percent(one.probability)}" for one, end in zip(places, ends)
        ]
        self.texts[side].show(
            self._prompts[side], places, weights=ends, notes=notes, marked=self._marked[side]
        )

    def finished(self) -> None:
        for told, places in zip(self.told, self._places):
            if places:
                ended = places[-1].token == self._model.tokenizer.eos_token
                why = "it chose its end token" if ended else f"{self._n} tokens are the limit here"
                n = "1 token" if len(places) == 1 else f"{len(places)} tokens"
                told.say(f"It stopped after {n}: {why}.")
