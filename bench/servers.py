"""The processes of a benchmark: Rescind with its keys and its admin API, nginx, what `rescind-bench` serves, and how
much CPU and memory each takes. Everything listens on free ports of 127.0.0.1, and on the first core."""

import contextlib, json, os, re, signal, socket, subprocess, sys, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = str(CORES[0]), str(CORES[-1])
TICKS = os.sysconf("SC_CLK_TCK")
TOKENS_PER_OWNER = 1_000  # as many as one import takes


class Server:
    """One or several processes that answer together; `others` are pids of such as were not started here."""

    def __init__(self, processes=(), others=lambda: ()):
        self.processes, self.others = list(processes), others

    def pids(self):
        """Those that were started here, and all that they have started."""
        found, waiting = [], [process.pid for process in self.processes] + list(self.others())
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            waiting += children(pid)
        return found


STARTED = []


def start(command, log, core=SERVER_CORE, **environment):
    """A process on the core of the servers; what it says is kept in a file."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESCIND_")}
    with open(log, "ab") as file:
        process = subprocess.Popen(["taskset", "-c", core, *command], stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=inherited | environment)
    process.log = log
    STARTED.append(process)
    return process


def listening(process, port):
    """It, when it takes connections."""
    def connects():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
    return ready(process, connects, 60)


def ready(process, is_ready, seconds):
    """It, when it is ready."""
    for _ in range(20 * seconds):
        if process.poll() is not None:
            break
        if is_ready():
            return process
        time.sleep(0.05)
    with open(process.log, errors="replace") as file:
        sys.exit(f"{' '.join(process.args[3:])} is not ready:\n{file.read()[-2_000:]}")


def binary():
    """Of Rescind. RESCIND_BIN names another build than the release of this checkout."""
    return built("rescind", os.environ.get("RESCIND_BIN"))


def tool():
    """`rescind-bench`, of the same build."""
    return built("rescind-bench", os.path.join(os.path.dirname(binary()), "rescind-bench"))


def built(name, path=None):
    path = path or os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", name)
    return path if os.path.exists(path) else sys.exit(f"build it first: cargo build --release -p {name}")


class Rescind(Server):
    """One node with SQLite; or with a file of a connection to PostgreSQL, one of several. `under` is a command that runs it."""

    def __init__(self, directory, keys_of, upstream=None, postgres=None, name="node-0", more={}, under=()):
        os.makedirs(directory, 0o700)
        sealing, admin, self.admin_token = keys_of
        public, verify, operators, peers = free_ports(4)
        settings = {
            "sealing.key_files": sealing, "admin.bootstrap_token_file": admin, "log.level": "warn",
            "public.listen": f"127.0.0.1:{public}", "verify.listen": f"127.0.0.1:{verify}",
            "admin.listen": f"127.0.0.1:{operators}",
        }
        settings |= {"gateway.upstream": upstream} if upstream else {}
        settings |= {"postgres.connection_file": postgres, "cluster.node": name, "cluster.listen": f"127.0.0.1:{peers}",
                     } if postgres else {"store.path": directory}
        settings |= more
        flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
        super().__init__([start([*under, binary(), "serve", *flags], os.path.join(directory, "log"), TOKIO_WORKER_THREADS="1")])
        self.public, self.verify = f"127.0.0.1:{public}", f"127.0.0.1:{verify}"
        self.admin, self.admin_url = f"127.0.0.1:{operators}", f"http://127.0.0.1:{operators}"
        listening(self.processes[0], operators)
        wait_for(self.admin_url + "/health")

    def import_tokens(self, texts):
        """Makes these texts valid, as keys of partners: users would have passwords, whose hashing leaves memory behind."""
        api, name = {"admin_url": self.admin_url, "admin_token": self.admin_token}, time.monotonic_ns()
        for first in range(0, len(texts), TOKENS_PER_OWNER):
            owner = post(api, "/v1/partners", {"issuer": "bench", "subject": f"{name}-{first}"})["id"]
            tokens = [{"token": text, "owner_id": owner, "kind": "api_key"} for text in texts[first:first + TOKENS_PER_OWNER]]
            done = post(api, "/v1/tokens/import", {"tokens": tokens})
            assert done["imported"] == len(tokens), done["items"][0]


def nginx(directory, servers):
    """One worker. `servers` is what stands in `http`; its first port is waited for."""
    os.makedirs(directory)
    paths = "".join(f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = f"""
daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; {paths}
{servers}
}}"""
    path = os.path.join(directory, "nginx.conf")
    with open(path, "w") as file:
        file.write(config)
    process = start(["nginx", "-c", path, "-p", directory, "-e", f"{directory}/error.log"], os.path.join(directory, "log"))
    return Server([listening(process, int(re.search(r"listen 127.0.0.1:(\d+)", servers)[1]))])


def served(directory, what, *flags):
    """`rescind-bench serve`, and where it listens."""
    os.makedirs(directory, exist_ok=True)
    [port] = free_ports(1)
    command = [tool(), "serve", what, "--listen", f"127.0.0.1:{port}", *flags]
    process = start(command, os.path.join(directory, f"{what}.log"), TOKIO_WORKER_THREADS="1")
    return Server([listening(process, port)]), f"127.0.0.1:{port}"


def cpu(pids):
    """Seconds of CPU that these have taken."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/stat") as file:
            total += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    return total / TICKS


def memory(pids):
    """Bytes that these hold; what they share is counted once (PSS)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/smaps_rollup") as file:
            total += int(re.search(r"(?m)^Pss:\s+(\d+)", file.read())[1])
    return total * 1024


def children(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f"/proc/{pid}/task/{pid}/children") as listing:
            return [int(child) for child in listing.read().split()]
    return []


def keys(directory):
    """The files of a sealing key and of the first admin token, and that token."""
    sealing, admin = os.path.join(directory, "sealing.key"), os.path.join(directory, "admin.token")
    for path, kind in ((sealing, "sealing-key"), (admin, "admin-token")):
        text = subprocess.run([binary(), "keygen", kind], capture_output=True, check=True).stdout
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(text)
    return sealing, admin, open(admin).read().strip()


def post(node, path, body):
    headers = {"Authorization": f"Bearer {node['admin_token']}", "Content-Type": "application/json"}
    request = urllib.request.Request(node["admin_url"] + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


GIVEN = set()


def free_ports(count):
    """That nobody listens on now, and that were not given to anybody before."""
    sockets = []
    while len(sockets) < count:
        one_socket = socket.socket()
        one_socket.bind(("127.0.0.1", 0))
        if one_socket.getsockname()[1] not in GIVEN:
            GIVEN.add(one_socket.getsockname()[1])
            sockets.append(one_socket)
    ports = [one_socket.getsockname()[1] for one_socket in sockets]
    for one_socket in sockets:
        one_socket.close()
    return ports


def wait_for(url):
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{url} does not answer")


def ended(processes):
    for process in processes:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_all():
    """All that was started here."""
    ended(STARTED)
    STARTED.clear()
