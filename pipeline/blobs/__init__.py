"""Content-addressed storage of the originals."""
