"""The worker type ``warm`` for Prefect: runs start in a fraction of a second. Prefect finds it by its entry point."""
