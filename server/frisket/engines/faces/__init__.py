"""Faces: where they are, how they are laid out for restorers, and the restorers themselves."""
