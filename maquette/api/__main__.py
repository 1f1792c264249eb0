"""``python -m maquette.api``: serve the API of the settings until SIGTERM or SIGINT."""

import gc
import logging
import sys

import uvicorn
from pydantic import ValidationError

from maquette.api.app import create_app
from maquette.errors import ConfigurationError
from maquette.launch.processes import require_safe_address
from maquette.settings import get_settings

# Open streams get this long to end; sockets are closed at once, with 1012.
GRACE_S = 3
MAX_MESSAGE_BYTES = 1 << 16


def main() -> int:
    """Serve; the exit code. 2 says that a setting is missing or wrong, with the reason on stderr."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = get_settings()
        require_safe_address(settings)
        app = create_app(settings)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except ValidationError as error:
        # Without the values: one of them may be a secret.
        for each in error.errors():
            name = "_".join(str(part) for part in each["loc"][:1]).upper()
            sys.stderr.write(f"MAQUETTE_{name}: {each['msg']}\n")
        return 2
    # All that is there now stays: to look at it again with every collection took a quarter of the time of a large save.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ws_max_size=MAX_MESSAGE_BYTES,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
