"""Engines that make a picture larger: one that ships with the program, and installed networks."""
