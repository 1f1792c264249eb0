"""What the local writer knows of universes: things by theme in five languages, and children's songs."""
