"""What notebook 05 says."""

from llmviz.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
