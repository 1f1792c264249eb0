"""What things cost, measured side by side. ``python -m benchmarks`` runs all; no test depends on a figure."""
