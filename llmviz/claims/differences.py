"""What notebook 07 says."""

from llmviz.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
