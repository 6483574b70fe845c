"""Where an answer ends, with and without the chat template."""

from __future__ import annotations

from dataclasses import replace

from llmviz import experiments, ops
from llmviz.model import Step, Trace
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import checkbox
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import one_at_a_time
from llmviz.views.kit.text_box import Prompt
from llmviz.views.sampling.side_by_side import SideBySide
from llmviz.views.sampling.written_text import WrittenText, place

CAPTIONS = (
    "With the chat template (dashed: what it adds)",
    "Without it: the same model, the bare question",
)


class ChatEnd(SideBySide):
    """A question with and without the chat template: what is written, and the end token's probability at each place.

    `past`: whether the program goes on after an end token. `n`: the most tokens that it writes.
    """

    def __init__(self, question: Prompt, n: int = 60):
        self._n = n
        self.past = checkbox("go on after the end token")
        label = "probability that the end token comes here"
        super().__init__(
            question,
            [
                WrittenText(
                    question.language_model, scale="weight", shade_label=label, caption=caption, repeats=False
                )
                for caption in CAPTIONS
            ],
            above=[self.past],
        )
        self.past.observe(self.draw, "value")

    def length(self, question: Trace) -> int:
        """How many tokens the answer to a question has, its end token counted; n if there is none before."""
        chat, _ = self._templated(question.tokens)
        return len(experiments.write(self.prompt.language_model, chat, self._n).tokens)

    @one_at_a_time
    def draw(self, _change=None) -> None:
        """Write both answers again, always the likeliest token."""
        bare = self.prompt.trace.tokens
        for told in self.told:
            told.say("Writing, always the likeliest token …")
        try:
            chat, added = self._templated(bare)
        except ValueError as error:  # a model of another kind
            self.told[0].say(f"No answer here: {error}.")
            chat, added = [], []
        for text, prompt, marked in zip(self.texts, (chat, bare), (added, [])):
            text.show(prompt, marked=marked)
        self.write([Sampler(temperature=0)] * 2, self._n, past=self.past.value)

    def _templated(self, question: list[int]) -> tuple[list[int], list[int]]:
        """The question in its template, as ids; and the places of what the template adds."""
        tokenizer = self.prompt.language_model.tokenizer
        full, empty = (
            tokenizer.encode_chat([{"role": "user", "content": content}])
            for content in (tokenizer.decode(question), "")
        )
        start = next((i for i, (a, b) in enumerate(zip(full, empty)) if a != b), len(empty))
        end = len(full) - (len(empty) - start)
        return full, [i for i in range(len(full)) if not start <= i < end]

    def wrote(self, side: int, step: Step) -> None:
        model = self.prompt.language_model
        end = float(ops.softmax(step.logits)[model.tokenizer.eos_token])
        one = place(model, step.logits, token=step.token, n=5)
        note = f"end token {percent(end)}, this one {percent(one.probability)}"
        self.texts[side].append(replace(one, shade=end, note=note))

    def finished(self, side: int) -> None:
        places = self.texts[side].places
        ends = sum(one.token == self.prompt.language_model.tokenizer.eos_token for one in places)
        n = "1 token" if len(places) == 1 else f"{len(places)} tokens"
        if self.past.value:
            message = f"{n}, {ends} of them end tokens. The program did not stop at those, but at its limit."
        else:
            why = "the last one is the end token." if ends else "that is its limit, and no end token came."
            message = f"The program stopped after {n}: {why}"
        self.told[side].say(message)
