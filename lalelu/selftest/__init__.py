"""The whole chain tested from outside: true hits go in, and another program hears the notes."""
