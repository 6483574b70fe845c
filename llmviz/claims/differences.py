"""What notebook 07 says, in its three parts: about the text, the size and the fine-tuning; and what people say."""

from llmviz.claims import differences_finetuning, differences_series, differences_size, differences_text

PARTS = differences_text, differences_size, differences_finetuning, differences_series
CLAIMS = tuple(claim for part in PARTS for claim in part.CLAIMS)
