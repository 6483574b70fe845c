"""Every conclusion that a page draws: one row each, with what it says, how it is tested, and its bounds.

    CLAIMS["05"][0].sentence           what the page says
    CLAIMS["05"][0].measure(model)     an `Outcome`: .values, .controls, .holds

`python -m llmviz.claims 05` measures the claims of a page, also on cases of your own; `results/` keeps what was
measured (`stored`). `cases.toml` has the texts and words. A page's module lists its rows in `CLAIMS`.
"""

from llmviz.claims import attention, differences, embeddings, ffn, position, sampling, the_loop, tokenization
from llmviz.claims.claim import Bounds, Claim, Outcome

__all__ = ["CLAIMS", "Bounds", "Claim", "Outcome"]

CLAIMS: dict[str, tuple[Claim, ...]] = {
    "00": the_loop.CLAIMS,
    "01": tokenization.CLAIMS,
    "02": embeddings.CLAIMS,
    "03": position.CLAIMS,
    "04": attention.CLAIMS,
    "05": ffn.CLAIMS,
    "06": sampling.CLAIMS,
    "07": differences.CLAIMS,
}
