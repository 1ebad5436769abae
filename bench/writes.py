"""Part "writes": revocations and creations, each durable (fsync) with its audit entry before it is answered, beside a
bare commit of the same store: one row into a table of two columns, by SQLite as Rescind sets it up (WAL, FULL).

And what logins cost whoever verifies: Argon2id on every core, asked for without end, while tokens are verified."""

import contextlib, json, os, sqlite3, statistics, subprocess, time
from load import ASKED, Case, Token, closed, listed, wrote, written
from render import Aim, Column, Plot, micros, ratio, thousands
from servers import CLIENT_CORE, Rescind, SERVER_CORE, keys, post
from tokens import key

BARE = "SQLite, a bare commit"
REVOKED, CREATED = "Rescind, revocations", "Rescind, creations"
REVOKED_AT_ONCE, CREATED_AT_ONCE = "Rescind, revocations, 64 at once", "Rescind, creations, 64 at once"
QUIET, LOGINS = "Rescind, forward-auth", "Rescind, forward-auth, while passwords are hashed without end"
AT_ONCE = 64
# Of each kind in a round, for each second of `--seconds`.
ONE_BY_ONE, TOGETHER = 400, 4_000
LOGINS_AT_ONCE = 16

TITLE = "Writes"
COLUMNS = [Column("rate", "a second", thousands, better="more"), Column("p50", "p50", micros, better="less"), Column("p99", "p99", micros)]
AIMS = [
    Aim("a revocation, of a bare commit: p50", ratio("p50", REVOKED, BARE), at_most=1.7),
    Aim("a creation, of a bare commit: p50", ratio("p50", CREATED, BARE), at_most=1.7),
    Aim("revocations, 64 at once, of bare commits one by one: a second", ratio("rate", REVOKED_AT_ONCE, BARE), at_least=3),
    Aim("creations, 64 at once, of bare commits one by one: a second", ratio("rate", CREATED_AT_ONCE, BARE), at_least=3),
    Aim("verifications while passwords are hashed, of as many without", ratio("rate", LOGINS, QUIET), at_least=0.9),
]
RIVALS = {REVOKED: [BARE], CREATED: [BARE], REVOKED_AT_ONCE: [BARE], CREATED_AT_ONCE: [BARE]}
PLOTS = [Plot("writes-p50", "p50", "p50, ms", scale=1e3, log=True)]


def run(settings, scratch, measured):
    # A flood is to be hashed, and not to be told that it is one.
    no_limit = {"login.per_address_per_minute": 1_000_000, "login.per_email_per_minute": 1_000_000}
    node = Rescind(os.path.join(scratch, "data"), keys(scratch), more=no_limit)
    owners = [post(api(node), "/v1/partners", {"issuer": "bench", "subject": f"owner-{at}"})["id"] for at in range(AT_ONCE)]
    one, many = (max(1, round(each * settings.seconds)) for each in (ONE_BY_ONE, TOGETHER))
    valid = key()
    node.import_tokens([valid])
    asked = written(scratch, "asked.tokens", Token(valid, 200).line())
    for number in range(settings.rounds):
        bare = Case(BARE, [], "", "", "", "one after the other; by Python, whose own part in one is some microseconds")
        measured(bare, bare_commits(os.path.join(scratch, f"bare-{number}.db"), one))
        for name, count, connections in ((REVOKED, one, 1), (REVOKED_AT_ONCE, many, AT_ONCE)):
            texts = [key() for _ in range(count)]
            node.import_tokens(texts)
            tokens = written(scratch, "revoked.tokens", listed([Token(text, 200) for text in texts]))
            measured(case(name, node, REVOKE, tokens), wrote(case(name, node, REVOKE, tokens), scratch, connections))
        for name, count, connections in ((CREATED, one, 1), (CREATED_AT_ONCE, many, AT_ONCE)):
            # To as many owners as there are connections: what an owner has is counted at each issue.
            tokens = written(scratch, "created.tokens", listed([Token("-", 201, owners[at % AT_ONCE]) for at in range(count)]))
            measured(case(name, node, CREATE, tokens), wrote(case(name, node, CREATE, tokens), scratch, connections))
        quiet = Case(QUIET, [node], node.verify, ASKED, asked, "the server's one thread on a core")
        measured(quiet, closed(quiet, scratch, settings.seconds))
        hashed = Case(LOGINS, [node], node.verify, ASKED, asked, f"{LOGINS_AT_ONCE} connections log in with a wrong password, on the same core")
        with logging_in(node, scratch):
            measured(hashed, closed(hashed, scratch, settings.seconds))


def case(name, node, request, tokens):
    return Case(name, [node], node.admin, request.replace("{admin}", node.admin_token), tokens)


def api(node):
    return {"admin_url": node.admin_url, "admin_token": node.admin_token}


def bare_commits(path, count):
    """One thread, on the core of the servers."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(SERVER_CORE)})
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, said BLOB NOT NULL)")
            took = []
            for _ in range(count):
                began = time.perf_counter()
                database.execute("INSERT INTO row (said) VALUES (randomblob(32))")
                took.append(time.perf_counter() - began)
    finally:
        os.sched_setaffinity(0, before)
    took.sort()
    return {"rate": count / sum(took), "p50": statistics.median(took), "p99": took[count * 99 // 100]}


@contextlib.contextmanager
def logging_in(node, scratch):
    """Without end: each with an address that nobody has, which takes as long as one that somebody has."""
    script = written(scratch, "login.lua", f"""
wrk.method, wrk.path = "POST", "/auth/token"
wrk.headers["Content-Type"] = "application/json"
wrk.body = {json.dumps(json.dumps({"email": "nobody@example.com", "password": "not the right one"}))}""")
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{LOGINS_AT_ONCE}", "-d1h", "-s", script, f"http://{node.public}"]
    flood = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield
    finally:
        flood.terminate()
        flood.wait()


ADMIN = "HTTP/1.1\nHost: rescind\nAuthorization: Bearer {admin}\nContent-Type: application/json\n\n"
REVOKE = "POST /v1/tokens/revoke " + ADMIN + '{"token":"{token}"}'
CREATE = "POST /v1/tokens " + ADMIN + '{"owner_id":"{id}","kind":"api_key"}'
