"""Frisket: AI retouching for image editors. Repaints what was selected and leaves every other pixel alone."""

__version__ = "0.1.0"
