"""Chat format, tokenizer, base model, supervised fine-tuning, preference tuning and free generation."""
