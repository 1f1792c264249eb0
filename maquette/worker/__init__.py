"""The worker type ``warm`` for Prefect: runs start in a fraction of a second. Prefect finds it by its entry point."""

from maquette.worker.warm import WarmWorker

__all__ = ["WarmWorker"]
