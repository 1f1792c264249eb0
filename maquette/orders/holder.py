"""Who holds a lease: a process, recognisable on its host."""

import os
import socket

import psutil


def holder_name() -> str:
    """This process, recognisable on its host: ``host/pid/start time``."""
    return f"{socket.gethostname()}/{os.getpid()}/{psutil.Process().create_time():.0f}"


def holder_is_dead(holder: str | None) -> bool:
    """Surely dead: the holder ran on this host and its process is gone. Elsewhere only the lease tells."""
    if holder is None:
        return False
    host, pid, started = holder.rsplit("/", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        # Start times move by a second when the clock is set; process ids do not come back that fast.
        return abs(process.create_time() - float(started)) > 2 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
