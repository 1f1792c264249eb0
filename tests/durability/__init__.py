"""A package, for pytest ends what has package scope with the last test of a package only."""
