"""One file per journey: gather, decide, apply."""
