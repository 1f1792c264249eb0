"""Maquette turns a brief into finished media, durably."""
