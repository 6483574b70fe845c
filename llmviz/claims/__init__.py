"""Every conclusion that a page draws: one row each, with what it says, how it is tested, and its bounds.

    CLAIMS["05"][0].sentence           what the page says
    CLAIMS["05"][0].measure(model)     an `Outcome`: .values, .controls, .holds

`python -m llmviz.claims 05` measures the claims of a page, also on cases of your own; `results/` keeps what was
measured (`stored`). `cases.toml` has the texts and words. A page's module lists its rows in `CLAIMS`.
"""

from llmviz.claims import attention, differences, embeddings, ffn, position, sampling, the_loop, tokenization
from llmviz.claims.claim import Bounds, Claim, Outcome

__all__ = ["CLAIMS", "Bounds", "Claim", "Outcome"]

_PAGES = the_loop, tokenization, embeddings, position, attention, ffn, sampling, differences
CLAIMS: dict[str, tuple[Claim, ...]] = {f"{i:02}": page.CLAIMS for i, page in enumerate(_PAGES)}
