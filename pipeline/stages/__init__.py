"""The stages a document goes through, as plain functions."""
