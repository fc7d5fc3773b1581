"""What both clients' scripts share: the sandbox's controls, and a plain runner of their checks."""

import json
import os
import sys
import traceback
import urllib.request

ORIGIN = os.environ["SANDBOX_ORIGIN"]
VERSION = os.environ["IMAGES_VERSION"]


def fault(**order):
    """Sets a fault of the sandbox."""
    body = json.dumps(order).encode()
    with urllib.request.urlopen(urllib.request.Request(ORIGIN + "/sandbox/faults", data=body)) as reply:
        assert reply.status == 204, reply.status


def run_all(checks):
    """Runs every function called check_…, tells all that failed, and exits accordingly."""
    failed = 0
    for name, check in [(n, c) for n, c in checks.items() if n.startswith("check_")]:
        try:
            check()
            print("ok", name)
        except Exception:  # whatever it is, the next check is still worth running
            failed += 1
            print("FAILED", name)
            traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)
