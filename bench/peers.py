"""Part "peers": what people use instead, on the same work. Valid, revoked and unknown credentials are shown 90 to 5 to
5; each peer says by a status whether one is good. What revokes is each peer's own way.

Two columns that nobody else prints: how long a revocation takes, alone and from sending it to its answer; and the
longest time after such an answer at which a verification was *sent* that still accepted, while every node is asked
about that token as fast as one connection can."""

import os
import better_auth, openbao, stores
from concurrent.futures import ThreadPoolExecutor
from load import ASKED, written
from peer import Peer
from render import Aim, Column, Plot, lateness, megabytes, micros, thousands
from servers import Rescind, keys
from tokens import key

ONE, THREE = "Rescind, one node", "Rescind, three nodes"

TITLE = "Peers on the same work"
COLUMNS = [
    Column("rate", "requests/s", thousands, better="more"), Column("p50", "p50", micros, better="less"),
    Column("p99", "p99", micros, better="less"), Column("p999", "p99.9", micros, better="less"),
    Column("cpu", "CPU a request", micros, better="less"), Column("memory", "memory", megabytes, better="less"),
    Column("revocation", "revocation, p50", micros, better="less"),
    Column("late", "accepted after its revocation, longest", lateness, better="less", of=max),
]
AIMS = [
    Aim(f"{ONE}: a token accepted after its revocation was answered", lambda rows: rows[ONE]["late"], at_most=0, shown=lateness, of=max),
    Aim(f"{THREE}: the same, on any of them", lambda rows: rows[THREE]["late"], at_most=0, shown=lateness, of=max),
]
RIVALS = {
    ONE: [stores.REDIS, stores.POSTGRES, openbao.ONE, better_auth.SQLITE, better_auth.MEMORY, better_auth.SECONDARY],
    THREE: [openbao.THREE],
}
PLOTS = [
    Plot("peers-rate", "rate", "requests a second", log=True),
    Plot("peers-p99", "p99", "p99 at half of that rate, ms", scale=1e3, log=True),
    Plot("peers-cpu", "cpu", "CPU a request, µs", scale=1e6, log=True),
    Plot("peers-revocation", "revocation", "a revocation, p50, ms", scale=1e3, log=True),
    Plot("peers-late", "late", "accepted after its revocation, ms", scale=1e3),
]


def run(settings, scratch, measured):
    postgres = stores.Postgres()

    def ready(start):
        directory = os.path.join(scratch, f"{start.__module__}-{start.__name__}")
        os.makedirs(directory)
        return start(directory, postgres).prepare(settings, directory)
    try:
        with ThreadPoolExecutor(len(PEERS)) as pool:
            peers = list(pool.map(ready, PEERS))
        for _ in range(settings.rounds):
            for peer in peers:
                measured(peer.case, peer.one_round(settings, scratch))
    finally:
        postgres.clear()


def rescind_one(directory, postgres):
    node = Rescind(os.path.join(directory, "data"), keys(directory))
    return rescind(ONE, "forward-auth, from memory; SQLite, each revocation with its audit entry and an fsync", [node], [node])


def rescind_three(directory, postgres):
    file, own = written(directory, "connection", postgres.database("bench_rescind")), keys(directory)
    nodes = [Rescind(os.path.join(directory, f"node-{number}"), own, postgres=file, name=f"node-{number}") for number in range(3)]
    return rescind(THREE, "the same with leases over PostgreSQL (fsync); the third node is asked, the first revokes, all are watched;"
                          " CPU and memory are those of all nodes and of PostgreSQL; each token was shown once before, since a node that has"
                        " not heard of one looks for it, for at most 10,000 a second", nodes, [*nodes, postgres], beforehand=5_000)


def rescind(name, settings, nodes, servers, **more):
    def make(count):
        texts = [key() for _ in range(count)]
        nodes[0].import_tokens(texts)
        return [(text, "-") for text in texts]
    revokes = (f"POST /v1/tokens/revoke HTTP/1.1\nHost: rescind\nAuthorization: Bearer {nodes[0].admin_token}\n"
               'Content-Type: application/json\n\n{"token":"{token}"}')
    return Peer(name, settings, servers, make, unknown=key, address=nodes[-1].verify, revoker=nodes[0].admin, watched=[node.verify for node in nodes],
                request=ASKED, revocation=revokes, accepts=200, **more)


PEERS = [
    rescind_one, rescind_three, stores.redis, stores.postgres, openbao.one, openbao.three,
    better_auth.sqlite, better_auth.memory, better_auth.secondary,
]


def versions():
    return stores.versions() | openbao.versions() | better_auth.versions()
