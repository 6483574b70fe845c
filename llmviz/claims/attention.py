"""What notebook 04 says."""

from llmviz.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
