"""The servers that arsip works with: those of the settings' URLs, or an embedded PostgreSQL and Valkey.

Processes share the embedded servers. Who uses them holds a shared lock on a file, which the kernel drops when the
process dies, however it dies; who starts or stops them holds an exclusive lock on another. The one who leaves and finds
that nobody else holds the shared lock stops the servers. So there is nothing that a `kill -9` could leave stale:
servers that outlived their last user are used, and later stopped, by the next one.
"""

from pipeline.stack.stack import ServerUrls, ensure_running, open_stack

__all__ = ["ServerUrls", "ensure_running", "open_stack"]
