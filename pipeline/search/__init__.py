"""Search backends: the contract and the one on Postgres."""
