"""One file per outside system; `ports` holds the protocols they fulfil."""
