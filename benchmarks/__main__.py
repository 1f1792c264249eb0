"""Run the benches, one after the other: ``python -m benchmarks [NAME] [--quick]``."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

BENCHES: Final = (
    "assembly", "slides", "intake", "queue", "library", "publishing",
    "orchestration", "starting", "sqlite", "drafts", "projects", "migrating", "demo",
)  # fmt: skip


def main() -> int:
    """Each bench in a process of its own, so that none warms or counts for another; 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=BENCHES, help="run this one alone")
    parser.add_argument("--quick", action="store_true", help="small jobs: shows that the benches run, no more")
    asked = parser.parse_args()
    failed = []
    for name in [asked.name] if asked.name else BENCHES:
        print(f"{name} ...", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if asked.quick else [])]
        if subprocess.run(command, cwd=Path(__file__).parents[1], check=False).returncode:
            failed.append(name)
        print(flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
