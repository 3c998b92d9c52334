"""Clinical narratives in, billing codes out: a small reasoning model, its data, and the means to check both."""
