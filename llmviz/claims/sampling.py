"""What notebook 06 says."""

from llmviz.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
