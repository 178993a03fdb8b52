"""The `arsip` command."""
