"""What notebook 01 says."""

from llmviz.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
