"""Diffusers pipelines behind the engine shape: nothing here imports torch until an engine is loaded."""
