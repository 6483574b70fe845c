"""The same tokens in another order: one heap of vectors, and a head that cannot tell them apart."""

from __future__ import annotations

from collections.abc import Sequence

from llmviz import experiments
from llmviz.model import Edits, Trace
from llmviz.sampling import Sampler
from llmviz.views.kit.controls import Told, button, checkbox, row, slider
from llmviz.views.kit.numbers import percent
from llmviz.views.kit.picture import Explorer, one_at_a_time
from llmviz.views.kit.pieces import isolated
from llmviz.views.kit.text_box import Prompt, trace_of
from llmviz.views.kit.token_strip import TokenStrip

N_USED = 64  # tokens of a text, at most, in the pictures of this page that take several runs
NOTHING = "there is nothing to swap here: that takes two different tokens before the last"


def beginning(trace: Trace) -> Trace:
    """The run over a text, or over its first `N_USED` tokens."""
    return trace.model.trace(trace.tokens[:N_USED], trace.edits) if len(trace.tokens) > N_USED else trace


def cut(trace: Trace) -> str:
    """A sentence for a text of which only the beginning is used."""
    return f"Only the first {N_USED} tokens are used here." if len(trace.tokens) > N_USED else ""


def places_to_swap(pieces: Sequence[str], first: str, second: str) -> tuple[int, int] | None:
    """Where two pieces stand in a text, before its last token; where it lacks one, the first two neighbours that
    differ. None where no two differ."""
    before = list(pieces[:-1])
    if first in before and second in before:
        return before.index(first), before.index(second)
    return experiments.differing_neighbours(pieces)


def named(trace: Trace, first: str, second: str) -> str:
    """ "·dog and ·cat", or whatever two tokens of this text change places."""
    places = places_to_swap(trace.pieces[:N_USED], first, second)
    return " and ".join(isolated(trace.pieces[at]) for at in places) if places else "two tokens"


def two_heaps(trace: Trace, first: str, second: str) -> Explorer:
    """A text, the same with two tokens swapped, and both as a heap; and what the model would say after each."""
    shortened, trace = cut(trace), beginning(trace)
    told, places = Told(), places_to_swap(trace.pieces, first, second)
    if not places:
        told.say(f"{NOTHING.capitalize()}.")
        return Explorer([told])
    tokenizer = trace.model.tokenizer
    runs = experiments.swapped_runs(trace, places, Edits())
    orders = [list(run.tokens) for run in runs]
    heaps = [sorted(tokens) for tokens in orders]
    captions = [
        "Your text",
        "Two tokens swapped",
        "The unordered set of both: the same rows of the table, sorted by id",
    ]
    if heaps[0] != heaps[1]:
        raise ValueError("a swap leaves no other heap")
    strips = [
        TokenStrip(
            tokenizer.pieces(ids),
            ids,
            caption=caption,
            highlight=marks,
            highlight_name="changed places",
            stage="position",
        )
        for ids, caption, marks in zip([*orders, heaps[0]], captions, [places, places, ()])
    ]
    sentences = []
    for name, run in zip(("As it stands", "Swapped"), runs):
        probs = Sampler().probs(run.logits)
        words = (f"{isolated(trace.pieces[at])} {percent(probs[trace.tokens[at]])}" for at in places)
        sentences.append(f"{name}, the next token is {', '.join(words)}.")
    told.say(*sentences, shortened)
    return Explorer([*strips, told])


class ShuffledHead(Explorer):
    """What one head of the first layer hands to the last token: the text in its order, and shuffled; without RoPE or
    with it."""

    def __init__(self, source: Prompt | Trace, *, head: int = 0):
        n_heads = trace_of(source).model.config.n_heads
        self.head = slider(head, "Head of layer 0", n_heads - 1, stage="position")
        self.rope = checkbox("RoPE on")
        self.again = button("shuffle again")
        self.told, self._seed = Told(), 0
        self.changes: dict[
            bool, float
        ] = {}  # without RoPE and with it: |difference| / |what was handed over|
        self.strips = [
            TokenStrip(
                [],
                caption=caption,
                quantity="share that the last token gives it",
                highlight_name="the last token",
                stage="position",
            )
            for caption in ("In order: what the last token looks at", "Shuffled, all but the last")
        ]
        super().__init__([row(self.head, self.rope, self.again), *self.strips, self.told])
        self.follow(source, self._new_text)
        for one in (self.head, self.rope):
            one.observe(self._show, "value")
        self.again.on_click(self._shuffle)

    @one_at_a_time
    def _new_text(self, trace: Trace) -> None:
        self.trace = trace
        self._show()

    @one_at_a_time
    def _shuffle(self, _) -> None:
        self._seed += 1
        self._show()

    @one_at_a_time
    def _show(self, _change=None) -> None:
        model, head = self.trace.model, self.head.value
        tokens = list(self.trace.tokens)[:N_USED]
        orders = tokens, experiments.shuffle_tokens(tokens, self._seed)
        for rope in (not self.rope.value, self.rope.value):  # what is shown comes last
            runs = [model.trace(order, Edits(rope=rope)) for order in orders]
            self.changes[rope] = float(experiments.head_change(*runs, 0)[head])
        for strip, ids, run in zip(self.strips, orders, runs):
            weights = run.blocks[0].attention_at(-1).pattern[head, 0]
            strip.change(pieces=model.tokenizer.pieces(ids), weights=weights, highlight=[len(ids) - 1])
        off, on = (percent(self.changes[rope]) for rope in (False, True))  # told once the reader ticks it
        self.told.say(
            f"Head {head}: shuffled, what it hands over changes by {off} without RoPE"
            f"{' (rounding)' if 0 < self.changes[False] < 1e-5 else ''}{f', by {on} with RoPE' * self.rope.value}.",
            "" if len(tokens) > 2 else "Here is nothing to shuffle: that takes two tokens before the last.",
            cut(self.trace),
        )
