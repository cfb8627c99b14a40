"""Model files: the catalogue, fetching, verifying and opening. Nothing to hold yet: the built-in engine has none."""
