"""How Maquette runs: registration of limits, blocks, pools and deployments at a Prefect server."""
