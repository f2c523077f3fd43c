"""Sound without a synthesiser: its voices, and the sound card."""
