#!/usr/bin/env python3
"""Revocations with three nodes beside bare commits of the same PostgreSQL, in one run.

    e2e/postgres/run python3 bench/several_nodes.py [--seconds 5] [--rounds 3] [--lease 15]

Needs wrk, taskset and pgbench (Debian: wrk, util-linux, postgresql-15) and `cargo build --release -p rescind`.
Everything runs on one machine, and shares its cores: three nodes, the database and the clients. Only ratios within
a run mean anything; the table gives medians over the rounds.
"""

import argparse, contextlib, glob, http.client, os, random, re, shutil, signal, statistics, string, subprocess, sys
import tempfile, time, urllib.request, zlib
from concurrent.futures import ThreadPoolExecutor
from servers import ROOT, binary, ended, free_ports, keys, post, wait_for

TOKENS_PER_OWNER = 1_000
PGBENCH = next(iter(glob.glob("/usr/lib/postgresql/*/bin/pgbench")), "pgbench")
AT_ONCE = 64
MILLION = 1_000_000
NEWCOMERS = 20_000
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
# How much longer each flush of the write-ahead log takes, in µs: as it is here, and as on a volume that is
# reached over a network. PostgreSQL waits by itself (`commit_delay`), for these nodes and for the bare commits.
FLUSHES = (0, 1_000)


def main():
    args = arguments()
    database = os.environ.get("RESCIND_TEST_POSTGRES") or sys.exit("run it by e2e/postgres/run")
    for program in ("wrk", "taskset", PGBENCH):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        cluster = Cluster(scratch, database, args.lease)
        try:
            Run(args, scratch, database, cluster)
        finally:
            ended(cluster.processes)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lease", type=int, default=15, help="seconds")
    parser.add_argument("--only", default="", help="the parts to run: latency, rate, storm, newcomers, flood, silence, million")
    return parser.parse_args()


class Cluster:
    def __init__(self, scratch, database, lease):
        self.scratch = scratch
        self.lease = lease
        connection = os.path.join(scratch, "postgres")
        with open(os.open(connection, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(database)
        self.connection = connection
        self.sealing, self.admin, self.admin_token = keys(scratch)
        self.processes, self.nodes = [], []
        for _ in range(3):
            self.start_node()
        time.sleep(1.5)  # until all know of one another

    def start_node(self):
        """One more, ready to verify."""
        number = len(self.processes)
        public, verify, operators, peers = free_ports(4)
        settings = {
            "postgres.connection_file": self.connection, "cluster.node": f"node-{number}", "cluster.lease": f"{self.lease}s",
            "cluster.listen": f"127.0.0.1:{peers}",
            "sealing.key_files": self.sealing, "admin.bootstrap_token_file": self.admin,
            "public.listen": f"127.0.0.1:{public}", "verify.listen": f"127.0.0.1:{verify}",
            "admin.listen": f"127.0.0.1:{operators}", "log.level": "warn",
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RESCIND_")}
        flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
        self.processes.append(subprocess.Popen([binary(), "serve", *flags], env=environment))
        node = {"public_url": f"http://127.0.0.1:{public}", "verify_url": f"http://127.0.0.1:{verify}", "admin_url": f"http://127.0.0.1:{operators}",
                "admin_token": self.admin_token}
        wait_for(node["admin_url"] + "/health")
        self.nodes.append(node)

    def make_tokens(self, count):
        """New bearer tokens."""
        def some(owner):
            return [post(self.nodes[0], "/v1/tokens", {"owner_id": owner, "kind": "bearer"})["token"]
                    for _ in range(TOKENS_PER_OWNER)]
        name = f"bench-{time.monotonic_ns()}"
        owners = [self.make_owner(f"{name}-{n}") for n in range(-(-count // TOKENS_PER_OWNER))]
        with ThreadPoolExecutor(16) as pool:
            return [made for several in pool.map(some, owners) for made in several][:count]

    def make_owner(self, name):
        return post(self.nodes[0], "/v1/users", {"email": f"{name}@example.com", "password": "correct horse battery"})["id"]

    def revoke(self, node, token):
        """How long it took by the client's clock, in seconds, and what was answered."""
        address = self.nodes[node]["public_url"].removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=600)
        begun = time.monotonic()
        connection.request("DELETE", "/auth/token", headers={"X-API-Key": token})
        answer = connection.getresponse()
        answer.read()
        return time.monotonic() - begun, answer.headers["X-Rescind-Revocation"]


class Run:
    def __init__(self, args, scratch, database, cluster):
        self.args, self.scratch, self.database, self.cluster = args, scratch, database, cluster
        parts = [part for part in args.only.split(",") if part] or ["latency", "rate", "storm", "newcomers", "flood", "silence", "million"]
        psql("CREATE TABLE bare (n bigserial PRIMARY KEY, what text NOT NULL)", database)
        self.insert = os.path.join(scratch, "insert.sql")
        with open(self.insert, "w") as file:
            file.write("INSERT INTO bare (what) VALUES ('a revocation');\n")
        for part in parts:
            if part in ("latency", "rate"):
                for delay in FLUSHES:
                    self.flush_later(delay)
                    getattr(self, part)(f"flush + {delay / 1e3:.0f} ms, ")
                self.flush_later(0)
            else:
                getattr(self, part)()

    def flush_later(self, micros):
        for setting in (f"commit_delay = {micros}", "commit_siblings = 0"):
            psql(f"ALTER SYSTEM SET {setting}", self.database)
        psql("SELECT pg_reload_conf()", self.database)

    def analyzed(self, tokens):
        """With what the database finds out by itself within a minute or two: that there are many rows now."""
        psql("ANALYZE", self.database)
        return tokens

    def latency(self, flush):
        """One after the other."""
        rounds = []
        for _ in range(self.args.rounds):
            bare = self.pgbench(1)
            revoked = self.revocations(1, self.analyzed(self.cluster.make_tokens(2_000 * self.args.seconds)))
            rounds.append((bare, revoked))
        for name, at in (("p50", 0), ("p99", 1)):
            bare = statistics.median(one[0][at] for one in rounds)
            revoked = statistics.median(one[1][at] for one in rounds)
            say(f"{flush}one at a time, {name}: bare commit {bare:.0f} µs, revocation {revoked:.0f} µs, {revoked / bare:.1f} ×")

    def rate(self, flush):
        rounds = []
        for _ in range(self.args.rounds):
            bare = self.pgbench(AT_ONCE)
            revoked = self.revocations(AT_ONCE, self.analyzed(self.cluster.make_tokens(12_000 * self.args.seconds)))
            rounds.append((bare[2], revoked[2], revoked[0]))
        bare, revoked, p50 = (statistics.median(one[at] for one in rounds) for at in range(3))
        say(f"{flush}{AT_ONCE} at once: bare commits {bare:.0f}/s, revocations {revoked:.0f}/s, {revoked / bare:.2f} ×, p50 {p50:.0f} µs")

    def storm(self):
        """Verifications on the third node, which has a core with its client, while the first one revokes on the other."""
        node = self.cluster.nodes[2]
        verify = self.verifying("verify.lua", self.cluster.make_tokens(1))
        pin(self.cluster.processes[2].pid, "1")
        for process in self.cluster.processes[:2]:
            pin(process.pid, "0")
        quiet, stormy, revoked = [], [], []
        url = node["verify_url"] + "/v1/verify"
        for _ in range(self.args.rounds):
            quiet.append(self.wrk(url, verify, 16, core="1")[2])
            ids = self.analyzed(self.cluster.make_tokens(10_000 * self.args.seconds))
            with ThreadPoolExecutor(1) as pool:
                storm = pool.submit(self.revocations, AT_ONCE, ids, "0")
                stormy.append(self.wrk(url, verify, 16, core="1")[2])
                revoked.append(storm.result()[2])
        for process in self.cluster.processes:
            pin(process.pid, "0,1")
        quiet, stormy, revoked = map(statistics.median, (quiet, stormy, revoked))
        say(f"verifications on one node: quiet {quiet:.0f}/s, with {revoked:.0f} revocations/s on another {stormy:.0f}/s, {stormy / quiet:.2f} ×")

    def newcomers(self):
        """Tokens that one node has made, each shown once to another one, as fast as a client can."""
        found = []
        for _ in range(self.args.rounds):
            lua = self.verifying("newcomers.lua", self.analyzed(self.cluster.make_tokens(NEWCOMERS)), "wrk.thread:stop()")
            with self.fetching() as spent:
                self.wrk(self.cluster.nodes[2]["verify_url"] + "/v1/verify", lua, AT_ONCE, all_good=False)
            found.append(spent)
        say(f"{NEWCOMERS} new tokens of another node, all at once: {told(found)}")

    @contextlib.contextmanager
    def fetching(self):
        """What it took the third node and the database to look for tokens meanwhile."""
        def now():
            lines = get(self.cluster.nodes[2], "/metrics").splitlines()
            values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("rescind_fetches_total"))
            server = postmaster(self.database)
            return {"seconds": time.monotonic(), "cpu": sum(map(worked, [server, *children(server)])),
                    **{re.search('"(.*)"', name)[1]: float(value) for name, value in values.items()}}
        before, spent = now(), {}
        yield spent
        spent.update({name: value - before[name] for name, value in now().items()})

    def flood(self):
        """Verifications of one valid token, while somebody else shows the same node tokens that do not exist: always
        the same one, which costs what a request costs, or a new one each time, which must be looked for."""
        node = self.cluster.nodes[2]
        [token] = self.cluster.make_tokens(1)
        url, valid = node["verify_url"] + "/v1/verify", self.verifying("valid.lua", [token])
        floods = [("the same one", [made_up(token)]), ("a new one each time", [made_up(token) for _ in range(400_000)])]
        floods = [(name, self.verifying(f"flood-{number}.lua", tokens)) for number, (name, tokens) in enumerate(floods)]
        found, fetched = {name: [] for name, _ in floods}, {name: [] for name, _ in floods}
        for _ in range(self.args.rounds):
            for name, script in floods:
                with ThreadPoolExecutor(1) as pool, self.fetching() as spent:
                    flood = pool.submit(self.wrk, url, script, 256, "0", False)
                    p50, p99, rate = self.wrk(url, valid, 16, core="1")
                    found[name].append((rate, p50, p99, flood.result()[2]))
                fetched[name].append(spent)
        for name, rounds in found.items():
            rate, p50, p99, flooded = map(statistics.median, zip(*rounds))
            say(f"flood of tokens that do not exist, {name}, {flooded:.0f}/s: a valid one {rate:.0f}/s, p50 {p50:.0f} µs, p99 {p99:.0f} µs; {told(fetched[name])}")

    def silence(self):
        """A node that stands still, and a database that does."""
        bound = self.cluster.lease * 1.005 + 0.25
        waited, after, sealed = [], [], []
        for _ in range(self.args.rounds):
            first, second = self.cluster.make_tokens(2)
            self.cluster.processes[2].send_signal(signal.SIGSTOP)
            took, answer = self.cluster.revoke(0, first)
            time.sleep(0.5)
            again, _ = self.cluster.revoke(0, second)
            self.cluster.processes[2].send_signal(signal.SIGCONT)
            assert answer and "acknowledged=2" in answer, answer
            waited.append(took)
            after.append(again)
            wait_for(self.cluster.nodes[2]["admin_url"] + "/health")
            time.sleep(2)
            # The server that takes connections, too: a node that can make a new one is not cut off.
            server = postmaster(self.database)
            signal_all([server, *children(server)], signal.SIGSTOP)
            begun = time.monotonic()
            while health(self.cluster.nodes[1]) == 200 and time.monotonic() < begun + 4 * bound:
                time.sleep(0.01)
            sealed.append(time.monotonic() - begun)
            signal_all([server, *children(server)], signal.SIGCONT)
            for node in self.cluster.nodes:
                wait_for(node["admin_url"] + "/health")
            time.sleep(1)
        say(f"one node stands still, lease {self.cluster.lease} s: revocation {max(waited):.2f} s (at most {bound:.2f} s"
                 f" and a round trip), the next one {1e3 * max(after):.1f} ms")
        say(f"database stands still: sealed after {max(sealed):.2f} s at most (lease {self.cluster.lease} s)")

    def million(self):
        """A node that starts when there are a million tokens."""
        owner = self.cluster.make_owner(f"million-{time.monotonic_ns()}")
        psql(f"""INSERT INTO tokens (id, owner, kind, digest, scopes, issued_at)
            SELECT 'token_million' || n, '{owner}', 'bearer', sha256(n::text::bytea), '', 1 FROM generate_series(1, {MILLION}) n""",
             self.database)
        self.analyzed(None)
        begun = time.monotonic()
        self.cluster.start_node()
        ready = time.monotonic() - begun
        pid = self.cluster.processes[-1].pid
        spent = worked(pid)
        with open(f"/proc/{pid}/status") as file:
            resident, peak = (re.search(rf"{name}:\s+(\d+)", text)[1] for text in [file.read()] for name in ("VmRSS", "VmHWM"))
        say(f"{MILLION} tokens: ready after {ready:.1f} s with {spent:.1f} s of CPU, {int(resident) / 1e3:.0f} MB resident, {int(peak) / 1e3:.0f} MB at most")

    def pgbench(self, clients):
        """p50 and p99 in µs, and commits a second."""
        log = os.path.join(self.scratch, f"pgbench-{time.monotonic_ns()}")
        command = [PGBENCH, "-n", "-M", "prepared", "-f", self.insert, f"-c{clients}", f"-j{min(clients, 2)}",
                   f"-T{self.args.seconds}", "-l", f"--log-prefix={log}", self.database]
        subprocess.run(command, check=True, capture_output=True)
        micros = sorted(int(line.split()[2]) for name in glob.glob(log + "*") for line in open(name))
        return percentile(micros, 50), percentile(micros, 99), len(micros) / self.args.seconds

    def revocations(self, clients, tokens, core=None):
        """`DELETE /auth/token`, each token by itself; all of them must be acknowledged by all nodes."""
        listed = os.path.join(self.scratch, f"tokens-{time.monotonic_ns()}")
        with open(os.open(listed, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write("\n".join(tokens))
        lua = self.script(f"{os.path.basename(listed)}.lua", f"""
wrk.method = "DELETE"
local tokens, at = {{}}, 0
for token in io.lines("{listed}") do tokens[#tokens + 1] = token end
function request()
  at = at + 1
  if not tokens[at] then wrk.thread:stop() end
  return wrk.format(nil, "/auth/token", {{ ["X-API-Key"] = tokens[at] or "none" }})
end
local bad = 0
function response(status, headers, body)
  local said = headers["x-rescind-revocation"] or ""
  if tokens[at] and (status ~= 200 or not said:find("acknowledged=3", 1, true)) and bad < 5 then
    bad = bad + 1
    io.stderr:write(status, " ", said, "\\n")
  end
end
""")
        return self.wrk(self.cluster.nodes[0]["public_url"], lua, clients, core=core, all_good=False)

    def verifying(self, name, tokens, after_all=""):
        """A script that asks about these in turn."""
        listed = os.path.join(self.scratch, f"{name}.tokens")
        with open(os.open(listed, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write("\n".join(tokens))
        return self.script(name, f"""
local bodies, at = {{}}, 0
for token in io.lines("{listed}") do bodies[#bodies + 1] = '{{"token":"' .. token .. '"}}' end
local headers = {{ ["Content-Type"] = "application/json" }}
function request()
  if at == #bodies then {after_all} end
  at = at % #bodies + 1
  return wrk.format("POST", nil, headers, bodies[at])
end
""")

    def script(self, name, text):
        path = os.path.join(self.scratch, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def wrk(self, url, lua, connections, core=None, all_good=True):
        """p50 and p99 in µs, and requests a second."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{self.args.seconds}s", "--latency", "-s", lua, url]
        if core is not None:
            command = ["taskset", "-c", core, *command]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        if done.stderr or (all_good and "Non-2xx" in done.stdout):
            print(done.stderr, done.stdout, file=sys.stderr)
        found = {name: micros(re.search(rf"(?m)^ +{name}%\s+(\S+)", done.stdout)[1]) for name in ("50", "99")}
        return found["50"], found["99"], float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


def made_up(like):
    """A token that is as well made as this one, and was never issued: a prefix, 32 characters of base62, and six of
    their CRC-32."""
    body = "".join(random.choices(BASE62, k=32))
    rest, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = BASE62[digit] + check
    return like[:-38] + body + check


def told(fetches):
    """Medians of what `fetching` found."""
    one = {name: statistics.median(spent[name] for spent in fetches) for name in fetches[0]}
    looked_for = one["known"] + one["revoked"] + one["unknown"]
    return (f"{looked_for / one['seconds']:.0f}/s looked for, {one['refused']:.0f} and {one['failed']:.0f} answered 503 (too many, no answer),"
            f" {one['cpu'] / one['seconds']:.2f} cores of PostgreSQL, {1e6 * one['cpu'] / max(looked_for, 1):.0f} µs for each")


def say(line):
    print(line, flush=True)


def percentile(ordered, percent):
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def micros(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def psql(statement, database):
    return subprocess.run(["psql", "-XAtq", "-c", statement, database], check=True, capture_output=True, text=True).stdout


def pin(pid, cores):
    subprocess.run(["taskset", "-acp", cores, str(pid)], check=True, capture_output=True)


def postmaster(database):
    with open(os.path.join(psql("SHOW data_directory", database).strip(), "postmaster.pid")) as file:
        return int(file.readline())


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as listing:
        return [int(child) for child in listing.read().split()]


def worked(pid):
    """Seconds of CPU."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/stat") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    return 0


def signal_all(pids, what):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # the database has workers that come and go
            os.kill(pid, what)


def get(node, path):
    request = urllib.request.Request(node["admin_url"] + path, headers={"Authorization": f"Bearer {node['admin_token']}"})
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def health(node):
    connection = http.client.HTTPConnection(node["admin_url"].removeprefix("http://"), timeout=10)
    connection.request("GET", "/health")
    return connection.getresponse().status


main()
