"""Pixels as numpy arrays: geometry, masks, fit, paste, depth and codecs. Knows no engine, no job, no network."""
