"""A kit drawn around a player, as text for a terminal and as SVG. Pure."""
