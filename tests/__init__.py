"""A package, so that those in it bear its name."""
