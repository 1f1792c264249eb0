"""The HTTP face: orders in, documents, files and progress out. Started by ``python -m maquette.api``."""
