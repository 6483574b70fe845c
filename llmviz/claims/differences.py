"""What notebook 07 says, in its three parts: about the text, the size and the fine-tuning; and what people say."""

from llmviz.claims import differences_finetuning, differences_series, differences_size, differences_text

CLAIMS = (
    *differences_text.CLAIMS,
    *differences_size.CLAIMS,
    *differences_finetuning.CLAIMS,
    *differences_series.CLAIMS,
)
