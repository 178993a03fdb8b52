"""Code that opens untrusted bytes; it runs in a sandboxed child only."""
