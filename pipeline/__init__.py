"""Documents and everything that happens to them, without a queue and without a face."""
