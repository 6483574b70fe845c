"""Every conclusion that a page draws: one row each, with what it says, how it is tested, and its bounds.

    CLAIMS["05"][0].sentence           what the page says
    CLAIMS["05"][0].measure(model)     an `Outcome`: .values, .controls, .holds

`python -m llmviz.claims 05` measures the claims of a page, also on cases of your own; `results/` keeps what was
measured (`stored`). `cases.toml` has the texts and words. A page's module lists its rows in `CLAIMS`.
"""

from llmviz.claims import (
    attention,
    differences_finetuning,
    differences_series,
    differences_size,
    differences_text,
    embeddings,
    ffn,
    position,
    sampling,
    the_loop,
    tokenization,
)
from llmviz.claims.claim import Bounds, Claim, Outcome

__all__ = ["CLAIMS", "Bounds", "Claim", "Outcome"]

_STAGES = the_loop, tokenization, embeddings, position, attention, ffn, sampling
_PAGES = *_STAGES, differences_text, differences_size, differences_finetuning
CLAIMS: dict[str, tuple[Claim, ...]] = {f"{i:02}": page.CLAIMS for i, page in enumerate(_PAGES)}
CLAIMS["09"] += differences_series.CLAIMS
