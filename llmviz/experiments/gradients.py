"""Change the parameters of a small model, one or all of them, and measure the surprise at a text."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from llmviz import training
from llmviz.experiments.probabilities import token_surprise
from llmviz.model import Model
from llmviz.sampling import BITS_PER_NAT
from llmviz.weights import from_flat, stored

NUDGE = 0.01
LENGTHS = (0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10)  # of a step of all parameters together
N_RANDOM = 3  # random directions
# What a sentence calls the arrays, by their names in a model file.
PARTS = {
    "token_embd": "the table of embeddings",
    "output_norm": "the last norm",
    "attn_norm": "the norm before attention",
    "attn_q": "W_Q",
    "attn_k": "W_K",
    "attn_v": "W_V",
    "attn_output": "W_O",
    "ffn_norm": "the norm before the FFN",
    "ffn_gate": "W_gate",
    "ffn_up": "W_up",
    "ffn_down": "W_down",
}


class Numbers:
    """All parameters of a small model in one array, and the mean surprise at a text, in bits a token, as they change.

    flat, gradient: [n_parameters], in the order of the arrays in a model file; these have `names` and end at `ends`.
    """

    def __init__(self, model: Model, text: str):
        self.model, self.tokens = model, model.tokenizer.encode_prompt(text)[: model.config.n_ctx]
        arrays = stored(model.weights)
        self.flat = np.concatenate([array.ravel() for array in arrays.values()])
        self.names = list(arrays)
        self.ends = np.cumsum([array.size for array in arrays.values()])
        _, gradients = training.loss_and_gradients(model, self.tokens)
        gradient = np.concatenate([array.ravel() for array in stored(gradients).values()])
        self.gradient = gradient * BITS_PER_NAT

    def surprise(self, flat: Float[np.ndarray, " n_parameters"]) -> float:
        """Measure the surprise with other parameters."""
        model = Model(from_flat(flat, self.model.config, self.model.weights.vocabulary))
        return float(token_surprise(model.trace(self.tokens)).mean())

    def turned(self, number: int, by: float) -> float:
        """Measure the surprise with one parameter changed."""
        flat = self.flat.copy()
        flat[number] += by
        return self.surprise(flat)

    def best(self, by: float) -> float:
        """Measure the surprise with the parameter of the steepest gradient changed against it."""
        number = int(np.abs(self.gradient).argmax())
        return self.turned(number, -by * float(np.sign(self.gradient[number])))

    def by_nudging(self, number: int, by: float = NUDGE) -> float:
        """Return the gradient of a parameter, found by changing it a little up and down."""
        return (self.turned(number, by) - self.turned(number, -by)) / (2 * by)

    def nudging_is_off(self) -> float:
        """Measure the relative difference between the largest gradient and what `by_nudging` gives for it."""
        number = int(np.abs(self.gradient).argmax())
        return abs(self.by_nudging(number) / self.gradient[number] - 1)

    def gained(self, length: float) -> float:
        """Measure how many bits the surprise falls by a step against the gradient."""
        return self.along(-self.gradient, 0) - self.along(-self.gradient, length)

    def along(self, direction: Float[np.ndarray, " n_parameters"], length: float) -> float:
        """Measure the surprise with all parameters moved along a direction, by a step of this length."""
        return self.surprise(self.flat + np.float32(length / np.linalg.norm(direction)) * direction)

    def random_direction(self, seed: int) -> Float[np.ndarray, " n_parameters"]:
        """Draw a random direction, which is not scaled to length 1."""
        return np.random.default_rng(seed).normal(size=len(self.flat)).astype(np.float32)

    def changed_at_random(self, length: float, n: int = 3) -> float:
        """Measure by how many bits a step changes the surprise: the largest change in n random directions."""
        now = self.along(self.gradient, 0)
        return max(abs(self.along(self.random_direction(seed), length) - now) for seed in range(n))

    def walk(self) -> Iterator[tuple[float, Float[np.ndarray, "2 lengths"] | None]]:
        """Measure the surprise at each of LENGTHS: against the gradient, and as the mean of random directions.

        Yields the share that is done, and finally both.
        """
        walked = []
        for direction in [-self.gradient, *map(self.random_direction, range(N_RANDOM))]:
            walked.append([self.along(direction, length) for length in LENGTHS])
            yield len(walked) / (1 + N_RANDOM), None
        yield 1.0, np.array([walked[0], np.mean(walked[1:], axis=0)])

    def place(self, number: int) -> str:
        """Say where in the model a parameter is."""
        at = int(np.searchsorted(self.ends, number, side="right"))
        layer, _, part = self.names[at].removesuffix(".weight").removeprefix("blk.").rpartition(".")
        return f"{PARTS[part]} of layer {layer}" if layer else PARTS[part]
