"""Edits: what the user asked for (`requests`), where it happens (`plan`), and the steps that make the picture."""
