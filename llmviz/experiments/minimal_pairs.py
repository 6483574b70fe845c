"""Measure which heads distinguish two sentences that differ in one word, and in a later one that depends on it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from llmviz.edits import Edits
from llmviz.experiments.ablation import knockout_attention, measure_each_head
from llmviz.experiments.attention_behaviours import attention_from, strongest_heads
from llmviz.experiments.attribution import ov_logits
from llmviz.experiments.patching import Pair, head_outputs, patch_heads
from llmviz.model import Model, Trace

Head = tuple[int, int]  # layer, head
# What chosen heads do at the last token: not attend to the word that differs; pass on nothing, their mean over other
# texts, or what they pass on in the twin's run.
WAYS = ("knockout", "ablate", "mean", "patch")


@dataclass(frozen=True, eq=False)
class MinimalPair:
    """The runs over two beginnings that differ in one token, and the token with which each should continue."""

    runs: Pair
    answers: tuple[int, int]  # of the text, and of its twin

    def lead(self, run: Trace) -> float:
        """Measure how far the text's answer is ahead of the twin's: the difference of the logits."""
        return float(run.logits[self.answers[0]] - run.logits[self.answers[1]])

    def lost(self, edits: Edits) -> float:
        """Measure what part of its lead the text's answer loses with edits; more than 1 if the twin's is ahead."""
        return 1 - self.lead(self.run(edits)) / self.lead(self.runs.trace)

    def most_attending(self, n: int) -> list[Head]:
        """Return the n heads that attend most to the token that differs, from the last one."""
        return strongest_heads(attention_from(self.runs.trace, -1)[..., self.runs.subject], n)

    @property
    def distance(self) -> float:
        """Return the difference of the leads in the two runs."""
        return self.lead(self.runs.trace) - self.lead(self.runs.twin)

    def rank_pushed(self, head: Head, *sources: int) -> int:
        """Rank the text's answer among all tokens by how much a head would push it up from each of some tokens.

        From 1, the one that it pushes up most; the worst of the ranks.
        """
        pushed = [ov_logits(self.runs.trace, *head, source) for source in sources]
        return 1 + max(int((logits > logits[self.answers[0]]).sum()) for logits in pushed)

    def edits(
        self,
        way: str,
        heads: Iterable[Head],
        mean: Float[np.ndarray, "n_layers n_heads d_head"] | None = None,
    ) -> Edits:
        """Return the edits that change these heads at the last token in one of `WAYS`.

        mean: `head_outputs`, averaged over other texts; for "mean" only. ValueError for another way.
        """
        if way == "knockout":
            return knockout_attention(heads, [self.runs.subject])
        there = head_outputs(self.runs.twin)
        z = {"ablate": np.zeros_like(there), "mean": mean, "patch": there}.get(way)
        if z is None:
            raise ValueError(f'the ways are {", ".join(WAYS)}, and "mean" takes a mean; got {way!r}')
        return patch_heads(z, heads)

    def run(self, edits: Edits) -> Trace:
        """Run the text with these edits."""
        return self.runs.trace.model.trace(self.runs.trace.tokens, edits)


def differing_tokens(text: Sequence[int], twin: Sequence[int]) -> list[int]:
    """Return the positions at which two texts have different tokens, as far as the shorter one goes."""
    return [at for at, (token, other) in enumerate(zip(text, twin)) if token != other]


def noun_at(trace: Trace) -> int:
    """Return the position of a text's second word: of "cats" in "The cats that I saw yesterday"."""
    begins = trace.tokens[0] == trace.model.tokenizer.begin_token
    return min(1 + begins, len(trace.tokens) - 1)


def minimal_pair(model: Model, text: str | Sequence[int], twin: str | Sequence[int]) -> MinimalPair:
    """Run two texts up to the second of the two tokens in which they differ.

    ValueError unless they have equally many tokens and differ in exactly two.
    """
    tokens, others = map(model.tokens_of, (text, twin))
    at = differing_tokens(tokens, others)
    if len(tokens) != len(others) or len(at) != 2:
        raise ValueError(
            f"a minimal pair has equally many tokens and differs in two of them; these have {len(tokens)} and "
            f"{len(others)} and differ in {len(at)}"
        )
    subject, last = at
    runs = Pair(model.trace(tokens[:last]), model.trace(others[:last]), subject)
    return MinimalPair(runs, (tokens[last], others[last]))


def each_head_patched(pair: MinimalPair) -> Iterator[tuple[int, int, float]]:
    """Patch one head at a time; yield layer, head, and how far the lead moves towards the twin's, 1 for all the way."""
    base, run, z = pair.lead(pair.runs.trace), pair.runs.trace, head_outputs(pair.runs.twin)
    for layer, head, lead in measure_each_head(
        run.model, run.tokens, lambda head: patch_heads(z, [head]), pair.lead
    ):
        yield layer, head, (base - lead) / pair.distance


def strongest_besides(pair: MinimalPair, head: Head) -> float:
    """Patch each other head on its own; return how far the strongest moves the lead, 1 for as far as this head does."""
    ways = {(layer, number): way for layer, number, way in each_head_patched(pair)}
    own = ways.pop(head)
    return max(ways.values()) / own
