"""Workers: child processes that run edits, and the slot that feeds one of them."""
