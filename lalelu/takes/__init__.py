"""The player's takes: where they lie, their true hits, and what another kit would make of them."""
