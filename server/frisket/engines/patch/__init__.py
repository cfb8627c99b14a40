"""The built-in engine: repaints from the picture's own patches. No weights, no GPU, same seed same bytes."""
