"""Register everything: ``python -m deployments``, from the repository's root."""

import asyncio

from deployments.register import register

asyncio.run(register())
