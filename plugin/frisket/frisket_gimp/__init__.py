"""GIMP's side of Frisket: pixels out, progress, layers in. No algorithm lives here.

libgimp is called from the main thread only; the network runs on another (`progress`), which calls no libgimp.
"""
