"""What puts load on a case, and what is noted of it: wrk, which asks as fast as it is answered; `rescind-bench load`,
which asks at a constant rate; `rescind-bench revoke`. All of them run on the last core."""

import dataclasses, json, os, re, subprocess, sys
from servers import CLIENT_CORE, cpu, memory, tool

CONNECTIONS = 64
# wrk counts refusals, and does not know which of its requests they answer: those in flight at its end, and what is
# left of a turn over all tokens, may be on either side.
UNCOUNTED = CONNECTIONS + 100

# Forward-auth, as nginx asks. What is set beside it reads the same and looks at nothing.
ASKED = """GET /v1/forward-auth/nginx HTTP/1.1
Host: rescind
X-Original-URI: /v1/orders
X-Original-Method: GET
X-Real-IP: 127.0.0.1
X-API-Key: {token}

"""


@dataclasses.dataclass
class Token:
    text: str
    status: int             # of a right answer
    id: str = "-"           # by what the server knows it, where that is not the text
    says: str = "-"         # stands in the body of a right answer

    def line(self):
        return f"{self.text} {self.status} {self.id} {self.says}"


@dataclasses.dataclass
class Case:
    name: str
    servers: list           # all whose CPU and memory count
    address: str
    request: str            # head, empty line, body, with {token} in it
    tokens: str             # a file of the tokens that are asked about in turn
    settings: str = ""      # what there is to know of how it was set up

    def pids(self):
        return [pid for server in self.servers for pid in server.pids()]


def one_round(case, scratch, seconds):
    """Its figures: as fast as it can, then at half of that rate, so that the second says how long an answer takes, and
    not how long the queue is."""
    figures = closed(case, scratch, seconds)
    figures |= opened(case, scratch, figures["rate"] / 2, seconds)
    return figures | {"memory": memory(case.pids())}


def closed(case, scratch, seconds):
    """As fast as it is answered, on all connections."""
    script = lua(case, scratch)
    before = cpu(case.pids())
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", script, f"http://{case.address}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = cpu(case.pids()) - before
    answers, took = re.search(r"(\d+) requests in ([\d.]+)s", said).groups()
    answers = int(answers)
    refused = int((re.search(r"Non-2xx or 3xx responses: (\d+)", said) or [0, 0])[1])
    right = refusals(case.tokens) * answers
    if answers == 0 or "Socket errors" in said or abs(refused - right) > UNCOUNTED:
        sys.exit(f"{case.name}: {refused} refusals, of {right:.0f}\n{said}")
    return {"rate": answers / float(took), "cpu": spent / answers, "busy": spent / float(took)}


def opened(case, scratch, rate, seconds):
    """At a constant rate; each answer is looked at."""
    command = ["load", "--address", case.address, "--request", written(scratch, "load.http", case.request), "--tokens", case.tokens,
               "--rate", f"{rate:.1f}", "--seconds", str(seconds), "--connections", str(CONNECTIONS)]
    found = run_tool(case, command)
    if found["wrong"]:
        sys.exit(f"{case.name}: {found['wrong']} of {found['answers']} answers were wrong")
    return {"open_rate": found["achieved"], **{name: found[f"{name}_us"] / 1e6 for name in ("p50", "p99", "p999")}}


def revoked(case, scratch, address, revocation, tokens, watch=()):
    """How long these revocations took, and for how long after their answers the tokens were still accepted at `watch`."""
    command = ["revoke", "--address", address, "--revocation", written(scratch, "revoke.http", revocation),
               "--tokens", written(scratch, "revoke.tokens", listed(tokens)), "--verification", written(scratch, "load.http", case.request)]
    return run_tool(case, command + [word for node in watch for word in ("--watch", node)])


def wrote(case, scratch, connections):
    """A request for each token, one after the other on each of so many connections."""
    command = ["write", "--address", case.address, "--request", written(scratch, "write.http", case.request), "--tokens", case.tokens,
               "--connections", str(connections)]
    found = run_tool(case, command)
    return {"rate": found["rate"], "p50": found["p50_us"] / 1e6, "p99": found["p99_us"] / 1e6}


def run_tool(case, command):
    done = subprocess.run(["taskset", "-c", CLIENT_CORE, tool(), *command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{case.name}: {done.stderr}")
    return json.loads(done.stdout)


def lua(case, scratch):
    """One token is a request that wrk makes once; several are looked up by turns."""
    with open(case.tokens) as file:
        first, more = file.readline().split(" ")[0], file.readline()
    if not more:
        head, body = case.request.replace("{token}", first).split("\n\n", 1)
        line, *headers = head.split("\n")
        method, path, _ = line.split(" ")
        text = [f"wrk.method, wrk.path = {json.dumps(method)}, {json.dumps(path)}", f"wrk.body = {json.dumps(body)}" if body else ""]
        text += ["wrk.headers[{}] = {}".format(*map(json.dumps, header.split(": ", 1))) for header in headers]
        return written(scratch, "static.lua", "\n".join(text))
    head, body = case.request.split("\n\n", 1)
    return written(scratch, "turns.lua", f"""
local head, body = {json.dumps(head)}, {json.dumps(body)}
local requests, at = {{}}, 0
for line in io.lines({json.dumps(case.tokens)}) do
  local token = line:match("^%S+")
  local filled = body:gsub("{{token}}", token)
  local length = #filled > 0 and "\\r\\nContent-Length: " .. #filled or ""
  requests[#requests + 1] = head:gsub("\\n", "\\r\\n"):gsub("{{token}}", token) .. length .. "\\r\\n\\r\\n" .. filled
end
function request()
  at = at % #requests + 1
  return requests[at]
end
""")


def refusals(tokens):
    """The part of them that a right server answers by a refusal."""
    with open(tokens) as file:
        statuses = [int(line.split(" ")[1]) for line in file]
    return sum(status >= 300 for status in statuses) / len(statuses)


def listed(tokens):
    return "\n".join(token.line() for token in tokens)


def written(scratch, name, text):
    path = os.path.join(scratch, name)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path
