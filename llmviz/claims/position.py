"""What notebook 03 says."""

from llmviz.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
