"""Killable child processes for everything that opens untrusted bytes."""
