"""What notebook 07 says: of the text, of size and configuration, and of fine-tuning."""

from llmviz.claims import differences_size

CLAIMS = (*differences_size.CLAIMS,)
