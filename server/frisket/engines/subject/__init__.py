"""Engines that select a subject: what a picture is of, as a mask."""
