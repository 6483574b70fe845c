"""What makes models different: the text they were trained on, their size, and the fine-tuning done afterwards."""

from llmviz.views.differences.claims_of_the_series import ClaimsOfTheSeries

__all__ = ["ClaimsOfTheSeries"]
