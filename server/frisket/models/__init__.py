"""Model files: the catalogue, the hub they come from, the folder they live in. Standard library only, no network
unless a pull asks for it, nothing is ever unpickled."""
