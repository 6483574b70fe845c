"""What makes models different: the text they were trained on, their size, and the fine-tuning done afterwards."""
