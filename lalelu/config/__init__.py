"""What may stand in the configuration and the kits, and how they are read."""
