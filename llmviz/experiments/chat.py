"""What the model writes in its chat template, and what it would write past the end of a message."""

from collections.abc import Sequence

from llmviz.experiments.writing import Written, write, write_on
from llmviz.model import Model
from llmviz.sampling import Sampler


def asked(model: Model, question: str) -> list[int]:
    """Return the tokens of a question in the template, up to where the answer begins. ValueError without a template."""
    return model.tokenizer.encode_chat([{"role": "user", "content": question}])


def answer(model: Model, question: str, n: int) -> Written:
    """Write the answer to a question in the template, always the likeliest token: up to `n` of them."""
    return write(model, asked(model, question), n)


def tokens_to_message(model: Model, tokens: Sequence[int], role: str, n: int = 40) -> int | None:
    """Count the tokens that the model writes, past any end token, before it opens a message of this role.

    None if none of the first `n` begins one.
    """
    opening = [model.tokenizer.special_tokens["<|im_start|>"], *model.tokenizer.encode(role)]
    greedy = Sampler(temperature=0)
    steps = write_on(model, tokens, n + len(opening) - 1, greedy, past_end=True)
    past = [step.token for step in steps]
    return next((i for i in range(n) if past[i : i + len(opening)] == opening), None)


def starts_the_same(model: Model, question: str, *, other: str) -> bool:
    """Say whether a chat starts its answer as the bare text goes on, or as a chat that begins with `other` does."""
    runs = (asked(model, question), asked(model, other + question) if other else question)
    return len({int(model.trace(run).logits.argmax()) for run in runs}) == 1
