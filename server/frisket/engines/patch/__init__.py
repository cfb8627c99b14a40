"""The built-in engine: fills holes from the picture's own patches. No weights, no GPU, the same bytes for the same seed."""
