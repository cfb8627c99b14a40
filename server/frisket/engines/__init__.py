"""Engines: everything that can repaint a crop. `spec` is their one shape, `registry` finds them."""
