#!/usr/bin/env python3
"""How one node grows with its tokens: memory for each, time to ready, verification, revocation of an owner's whole set.

    python3 bench/growth.py [--quick] [--rounds 3] [--tokens 10000,100000,1000000] [--json]

Needs `cargo build --release -p rescind`. Ten million tokens (`--tokens 10000000`) take some minutes, 8 GB of disk and
3 GB of memory. For each number there is a database in target/, which is removed afterwards: one user and one token
are made by the server, and copied, with other ids, addresses and digests, straight into its tables. What is missing
is the audit entries of their issue, which no start reads.

Of few tokens a good part of the memory is the server's own: what it takes to read a database at all.

Memory is what the kernel says of the process once it is ready, less that of one with no tokens. A start finds the
file in the page cache. The client of the verifications is this program, which takes most of their time by itself:
only how they compare from one number of tokens to another means anything.
"""

import argparse, contextlib, hashlib, json, os, re, shutil, socket, sqlite3, statistics, subprocess, sys, tempfile
import time, zlib
from servers import ROOT, binary, ended, free_ports, keys, post

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
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
# What is to be reached with so many tokens, by what is measured.
AIMS = {("resident", 1_000_000): 75, ("resident", 10_000_000): 60, ("ready", 1_000_000): 1.0}


def run(tokens=(10_000, 100_000, 1_000_000), rounds=3):
    """Rows: `name`, `unit`, `figures` of each round, and `aim`, or None."""
    rows = []
    for count in tokens:
        for of_one_owner in (OF_ONE_OWNER, FEW_OF_ONE_OWNER)[:2 if count == FEW_AT else 1]:
            with tempfile.TemporaryDirectory(prefix="growth.", dir=scratch(count)) as directory:
                rows += one_size(directory, count, of_one_owner, rounds)
    return rows


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
    begun = time.monotonic()
    fill(directory, tokens - in_sets, of_one_owner, sets)
    print(f"{tokens:,} tokens, {of_one_owner:,} an owner: made in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    figures = {}
    for at in range(rounds):
        of_this = {size: owners[at * REVOKED_A_ROUND:][:REVOKED_A_ROUND] for size, owners in sets.items()}
        for what, unit, value in one_round(directory, tokens, tokens - in_sets, empty, of_this):
            figures.setdefault((what, unit), []).append(value)
    where = f"{tokens:,} tokens, {of_one_owner:,} an owner"
    return [{"name": f"{where}: {what}", "unit": unit, "figures": values,
             "aim": AIMS.get((what, tokens)) if of_one_owner == OF_ONE_OWNER else None}
            for (what, unit), values in figures.items()]


def one_round(directory, tokens, numbered, empty, sets):
    with Server(directory) as server:
        yield "ready", "s", server.ready
        yield "CPU time of the start", "s", server.worked
        memory = server.memory()
        yield "resident", "bytes a token", (memory["VmRSS"] - empty["VmRSS"]) / tokens
        yield "proportional", "bytes a token", (memory["Pss"] - empty["Pss"]) / tokens
        yield "at most, while it started", "bytes a token", (memory["VmHWM"] - empty["VmHWM"]) / tokens
        # A stride that has no divisor in common with any of these numbers: no cache foresees the next one.
        others = [text_of(618_033_989 * at % numbered) for at in range(VERIFIED)]
        yield "verification, each of another", "µs, p50", server.verifications(others)
        yield "verification, always the same", "µs, p50", server.verifications(others[:1] * VERIFIED)
        for size, owners in sets.items():
            yield f"revocation of an owner's {size:,}", "µs, p50", server.revocations(size, owners)


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
        with open(f"/proc/{self.process.pid}/status") as status, open(f"/proc/{self.process.pid}/smaps_rollup") as maps:
            text = status.read() + maps.read()
        return {name: 1024 * int(re.search(rf"(?m)^{name}:\s+(\d+) kB", text)[1]) for name in ("VmRSS", "VmHWM", "Pss")}

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
    return 1e6 * statistics.median(seconds)


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
    body = f"{name:032}" if isinstance(name, int) else hashlib.sha256(name.encode()).hexdigest()[:32]
    rest, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = BASE62[digit] + check
    return f"api_prod_{body}{check}"


def digest(text):
    return hashlib.sha256(text.encode()).digest()


def show(rows):
    for row in rows:
        median, least, most = statistics.median(row["figures"]), min(row["figures"]), max(row["figures"])
        aim = f"aim {row['aim']:g}, {'met' if median <= row['aim'] else 'missed'}" if row["aim"] else ""
        print(f"{row['name']:72} {median:10.2f} {row['unit']:14} ({least:.2f} – {most:.2f}) {aim}".rstrip())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten thousand tokens, one round: whether it still runs")
    parser.add_argument("--rounds", type=int, default=3, help="starts of the server for each number")
    parser.add_argument("--tokens", default="10000,100000,1000000", help="with commas between")
    parser.add_argument("--json", action="store_true", help="the rows")
    return parser.parse_args()


def main():
    args = arguments()
    rows = run((10_000,), 1) if args.quick else run([int(count) for count in args.tokens.split(",")], args.rounds)
    json.dump(rows, sys.stdout, indent=1, ensure_ascii=False) if args.json else show(rows)


if __name__ == "__main__":
    main()
