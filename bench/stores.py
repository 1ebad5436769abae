"""What somebody writes who has no Rescind: one look-up in Redis or in PostgreSQL for each request, by the SHA-256 of the
token, behind the hyper server of `rescind-bench serve`."""

import contextlib, hashlib, os, re, subprocess, sys
from peer import Peer
from servers import SERVER_CORE, Server, free_ports, listening, served, start
from tokens import key

REDIS, POSTGRES = "a Redis GET for each", "a PostgreSQL SELECT for each"
SERVER = "behind a bare hyper server with one thread"
OWNER, SCOPES = "partner_0123456789abcdef", "trading"


def redis(directory, _):
    [port] = free_ports(1)
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", directory, "--save", "", "--appendonly", "yes",
               "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"]
    store = Server([listening(start(command, os.path.join(directory, "log")), port)])
    server, address = served(directory, "redis", "--store", f"redis://127.0.0.1:{port}")
    record = f'{{"owner":"{OWNER}","scopes":["{SCOPES}"]}}'.encode()

    def make(count):
        texts = [key() for _ in range(count)]
        sets = b"".join(b"*3\r\n$3\r\nSET\r\n$32\r\n%b\r\n$%d\r\n%b\r\n" % (digest(text), len(record), record) for text in texts)
        subprocess.run(["redis-cli", "-p", str(port), "--pipe"], input=sets, check=True, capture_output=True)
        return [(text, "-") for text in texts]
    settings = (f"{SERVER}, over one connection on which commands do not wait for one another; `appendfsync always`, so that a DEL that was"
                " answered is on disk; no snapshots")
    return Peer(REDIS, settings, [server, store], make, unknown=key, address=address, revoker=address, watched=[address])


def postgres(directory, server_of_all):
    database = server_of_all.database("bench_select")
    psql(database, """CREATE TABLE tokens (digest bytea PRIMARY KEY, owner text NOT NULL, scopes text NOT NULL,
        expires_at timestamptz, revoked_at timestamptz)""")
    server, address = served(directory, "postgres", "--store", database)

    def make(count):
        texts = [key() for _ in range(count)]
        psql(database, "COPY tokens (digest, owner, scopes) FROM STDIN", "".join(f"\\\\x{digest(text).hex()}\t{OWNER}\t{SCOPES}\n" for text in texts))
        psql(database, "VACUUM ANALYZE tokens")
        return [(text, "-") for text in texts]
    settings = (f"{SERVER}, over four connections on which queries do not wait for one another; a prepared statement by primary key, all rows in"
                " `shared_buffers`; `synchronous_commit` on")
    return Peer(POSTGRES, settings, [server, server_of_all], make, unknown=key, address=address, revoker=address, watched=[address])


class Postgres(Server):
    """The server of `e2e/postgres/run`, on the core of the servers."""

    def __init__(self):
        self.superuser = os.environ.get("RESCIND_TEST_POSTGRES") or sys.exit("run it by e2e/postgres/run")
        with open(os.path.join(psql(self.superuser, "SHOW data_directory").strip(), "postmaster.pid")) as file:
            postmaster = int(file.readline())
        super().__init__(others=lambda: [postmaster])
        self.names = []
        for pid in self.pids():
            with contextlib.suppress(subprocess.CalledProcessError):  # it has workers that come and go
                subprocess.run(["taskset", "-acp", SERVER_CORE, str(pid)], check=True, capture_output=True)

    def database(self, name):
        psql(self.superuser, f"CREATE DATABASE {name}")
        self.names.append(name)
        return re.sub(r"dbname=\S+", f"dbname={name}", self.superuser)

    def clear(self):
        for name in self.names:
            psql(self.superuser, f"DROP DATABASE {name} WITH (FORCE)")


def psql(database, statement, rows=None):
    done = subprocess.run(["psql", "-XAtq", "-c", statement, database], input=rows, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


def digest(text):
    return hashlib.sha256(text.encode()).digest()


def versions():
    said = {name: subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout for name in ("redis-server", "psql")}
    return {"Redis": re.search(r"v=(\S+)", said["redis-server"])[1], "PostgreSQL": said["psql"].split()[2]}
