"""From a path to a stored document with its first job."""
