"""What notebook 02 says."""

from llmviz.claims.claim import Claim

CLAIMS: tuple[Claim, ...] = ()
