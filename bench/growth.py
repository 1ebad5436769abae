"""Part "growth": one node with ever more tokens: memory for each, time to ready, verification, and the revocation of
an owner's whole set.

For each number there is a database: one user and one token are made by the server, and copied, with other ids,
addresses and digests, straight into its tables. What is missing is the audit entries of their issue, which no start
reads. Ten million take some minutes, 8 GB of disk and 3 GB of memory.

Of few tokens a good part of the memory is the server's own: what it takes to read a database at all. Memory is what
the kernel says of the process once it is ready, less that of one with no tokens. A start finds the file in the page
cache. The client of the verifications is this program, which takes most of their time by itself: only how they compare
from one number of tokens to another means anything."""

import contextlib, hashlib, json, os, re, shutil, socket, sqlite3, statistics, subprocess, sys, tempfile, time
from types import SimpleNamespace
from render import Aim, Column, micros
from servers import ROOT, binary, ended, free_ports, keys, post
from tokens import well_made

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
OF_ONE_OWNER = 1_000
# Many APIs have many users, with few tokens each: so much of an owner's memory is a token's.
FEW_OF_ONE_OWNER = 5
FEW_AT = 1_000_000
# Owners whose sets are revoked in a round, of each of these numbers of tokens. One may have 10,000, not more.
REVOKED_A_ROUND = 5
SETS = (1, 1_000, 10_000)
VERIFIED = 5_000
FREE_BYTES_MIN = 20 << 30
BYTES_OF_ONE = 800


def named(tokens, of_one_owner=OF_ONE_OWNER):
    return f"{tokens:,} tokens, {of_one_owner:,} an owner"


def seconds(value):
    return f"{value:.2f} s"


def size(value):
    return f"{value:.1f} B"


TITLE = "Growth"
COLUMNS = [
    Column("ready", "ready after", seconds), Column("worked", "CPU of the start", seconds), Column("resident", "resident, a token", size),
    Column("peak", "at most, while it started", size), Column("others", "verification, each of another, p50", micros),
    Column("same", "always the same, p50", micros), *(Column(f"set {count}", f"revocation of {count:,}, p50", micros) for count in SETS),
]
AIMS = [
    Aim(f"{named(1_000_000)}: resident, bytes a token", lambda rows: rows[named(1_000_000)]["resident"], at_most=75),
    Aim(f"{named(10_000_000)}: the same", lambda rows: rows[named(10_000_000)]["resident"], at_most=60),
    Aim(f"{named(1_000_000)}: ready, s", lambda rows: rows[named(1_000_000)]["ready"], at_most=1),
    Aim(f"{named(1_000_000)}: to revoke an owner's 10,000, of an owner's 1", lambda rows: quotients(rows[named(1_000_000)], "set 10000", "set 1"), at_most=1.5),
]
RIVALS, PLOTS = {}, []


def quotients(figures, over, under):
    return [over / under for over, under in zip(figures[over], figures[under])]


def run(settings, _, measured):
    for tokens in [size for size in SIZES if size <= settings.largest]:
        for of_one_owner in (OF_ONE_OWNER, FEW_OF_ONE_OWNER)[:2 if tokens == FEW_AT else 1]:
            with tempfile.TemporaryDirectory(prefix="growth.", dir=scratch(tokens)) as directory:
                for figures in one_size(directory, tokens, of_one_owner, settings.rounds):
                    measured(SimpleNamespace(name=named(tokens, of_one_owner), settings=""), figures)


def scratch(tokens):
    """Beside what Cargo builds, if there is room: the directory of temporary files is often in memory."""
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    free = shutil.disk_usage(target).free - tokens * BYTES_OF_ONE
    if free < FREE_BYTES_MIN:
        sys.exit(f"{target}: {free >> 30} GiB would be left free, and {FREE_BYTES_MIN >> 30} are to be")
    return target


def one_size(directory, tokens, of_one_owner, rounds):
    empty = made_by_the_server(directory)
    sets = {size: [owner_id(f"set-{size}", at) for at in range(REVOKED_A_ROUND * rounds)]
            for size in SETS if size * REVOKED_A_ROUND * rounds <= tokens // 5}
    in_sets = sum(size * len(owners) for size, owners in sets.items())
    fill(directory, tokens - in_sets, of_one_owner, sets)
    for at in range(rounds):
        of_this = {size: owners[at * REVOKED_A_ROUND:][:REVOKED_A_ROUND] for size, owners in sets.items()}
        yield one_round(directory, tokens, tokens - in_sets, empty, of_this)


def one_round(directory, tokens, numbered, empty, sets):
    with Server(directory) as server:
        memory = server.memory()
        figures = {"ready": server.ready, "worked": server.worked}
        figures |= {name: (memory[kind] - empty[kind]) / tokens for name, kind in (("resident", "VmRSS"), ("peak", "VmHWM"))}
        # A stride that has no divisor in common with any of these numbers: no cache foresees the next one.
        others = [text_of(618_033_989 * at % numbered) for at in range(VERIFIED)]
        figures |= {"others": server.verifications(others), "same": server.verifications(others[:1] * VERIFIED)}
        return figures | {f"set {size}": server.revocations(size, owners) for size, owners in sets.items()}


class Server:
    """One node over the database in this directory, from the start of the process until it may be asked."""

    def __init__(self, directory):
        self.keys = keys_of(directory)
        sealing, admin, self.admin_token = self.keys
        public, self.verify, self.operators = free_ports(3)
        self.admin_url = f"http://127.0.0.1:{self.operators}"
        settings = {
            "store.path": os.path.join(directory, "data"), "sealing.key_files": sealing,
            "admin.bootstrap_token_file": admin, "public.listen": f"127.0.0.1:{public}",
            "verify.listen": f"127.0.0.1:{self.verify}", "admin.listen": f"127.0.0.1:{self.operators}",
            "log.level": "warn",
        }
        flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RESCIND_")}
        begun = time.monotonic()
        self.process = subprocess.Popen([binary(), "serve", *flags], env=environment)
        while not self.answers():
            if self.process.poll() is not None:
                sys.exit("the server has ended")
            time.sleep(0.002)
        self.ready = time.monotonic() - begun
        with open(f"/proc/{self.process.pid}/stat") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        self.worked = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def answers(self):
        with contextlib.suppress(OSError):
            return Connection(self.verify).ask("GET", "/readyz")[0] == 200
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        ended([self.process])

    def memory(self):
        """In bytes, once what only the start wanted has been given back."""
        time.sleep(1)
        with open(f"/proc/{self.process.pid}/status") as status:
            text = status.read()
        return {name: 1024 * int(re.search(rf"(?m)^{name}:\s+(\d+) kB", text)[1]) for name in ("VmRSS", "VmHWM")}

    def verifications(self, texts):
        connection = Connection(self.verify)
        return p50(self.verified(connection, text, True) for text in texts)

    def verified(self, connection, text, valid):
        body = json.dumps({"token": text}).encode()
        begun = time.monotonic()
        status, answer = connection.ask("POST", "/v1/verify", body)
        took = time.monotonic() - begun
        if status != 200 or json.loads(answer)["valid"] is not valid:
            sys.exit(f"a token that is {'valid' if valid else 'revoked'} was answered {status} {answer.decode()}")
        return took

    def revocations(self, size, owners):
        """Each by itself; afterwards none of a set is valid."""
        admin, verify = Connection(self.operators, self.admin_token), Connection(self.verify)
        times = []
        for owner in owners:
            texts = [text_of(f"{owner} {at}") for at in (0, size - 1)]
            for text in texts:
                self.verified(verify, text, True)
            begun = time.monotonic()
            status, answer = admin.ask("POST", "/v1/revocations", json.dumps({"owner_id": owner}).encode())
            times.append(time.monotonic() - begun)
            if status != 200:
                sys.exit(f"{owner}: {status} {answer.decode()}")
            for text in texts:
                self.verified(verify, text, False)
        return p50(times)


class Connection:
    """Kept open; one request at a time."""

    def __init__(self, port, token=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = f"Host: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        self.head += f"Authorization: Bearer {token}\r\n" if token else ""

    def ask(self, method, path, body=b""):
        head = f"{method} {path} HTTP/1.1\r\n{self.head}Content-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.more()
        head, answer = answer.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(answer) < int(length[1]):
            answer += self.more()
        return int(head.split(b" ", 2)[1]), answer

    def more(self):
        return self.socket.recv(65_536) or sys.exit("the server has hung up")


def p50(seconds):
    return statistics.median(seconds)


def keys_of(directory):
    """As they were made the first time."""
    sealing, admin = os.path.join(directory, "sealing.key"), os.path.join(directory, "admin.token")
    if not os.path.exists(admin):
        return keys(directory)
    with open(admin) as file:
        return sealing, admin, file.read().strip()


def made_by_the_server(directory):
    """A database with one user and one token, and what a server takes that has no more."""
    os.mkdir(os.path.join(directory, "data"), 0o700)
    with Server(directory) as server:
        node = {"admin_url": server.admin_url, "admin_token": server.admin_token}
        user = post(node, "/v1/users", {"email": "first@example.com", "password": "correct horse battery"})
        post(node, "/v1/tokens", {"owner_id": user["id"], "kind": "bearer"})
    # The next one has not hashed a password, and writes no migration.
    with Server(directory) as server:
        return server.memory()


def fill(directory, numbered, of_one_owner, sets):
    sql = sqlite3.connect(os.path.join(directory, "data", "rescind.db"), isolation_level=None)
    # A database that is lost if this breaks off is made again.
    for setting in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -2000000"):
        sql.execute(f"PRAGMA {setting}").fetchall()
    sql.execute("BEGIN")
    copies(sql, "owners", "kind = 'user'", owners(-(-numbered // of_one_owner), sets))
    copies(sql, "tokens", "kind = 'bearer'", tokens(numbered, of_one_owner, sets))
    sql.execute("COMMIT")
    sql.execute("PRAGMA journal_mode = WAL").fetchall()
    sql.close()


def owners(count, sets):
    ids = [owner_id("many", at) for at in range(count)] + [owner for several in sets.values() for owner in several]
    return ({"id": owner, "email": f"{owner}@example.com"} for owner in ids)


def tokens(numbered, of_one_owner, sets):
    for at in range(numbered):
        yield {"id": f"token_{at:016}", "owner": owner_id("many", at // of_one_owner), "digest": digest(text_of(at))}
    for size, several in sets.items():
        for number, owner in enumerate(several):
            for at in range(size):
                yield {"id": f"token_{size:x}s{number:x}n{at:x}".ljust(22, "x"), "owner": owner,
                       "digest": digest(text_of(f"{owner} {at}"))}


def copies(sql, table, which, changes):
    """A row like the first of this kind, for each of these, with other values in some columns."""
    first = sql.execute(f"SELECT * FROM {table} WHERE {which} LIMIT 1")
    columns = [column[0] for column in first.description]
    row = dict(zip(columns, first.fetchone()))
    del row["seq"]
    marks = ", ".join(f":{name}" for name in row)
    sql.executemany(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", (row | change for change in changes))


def owner_id(kind, number):
    """As long as the server's own."""
    return "user_" + f"{kind}-{number:x}".ljust(16, "-")


def text_of(name):
    """A token's text, as well made as any."""
    return well_made("api_prod_", f"{name:032}" if isinstance(name, int) else hashlib.sha256(name.encode()).hexdigest()[:32])


def digest(of):
    return hashlib.sha256(of.encode()).digest()
