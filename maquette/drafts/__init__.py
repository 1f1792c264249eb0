"""Drafts: a theme becomes an illustrated universe, which can be changed, approved and published."""
