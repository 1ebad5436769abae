"""Part "layers": what a request costs this process, in instructions, and whose they are: under callgrind, one request
after the other on one connection, without the kernel's part.

An instruction belongs to the crate that its line stands in, wherever it was inlined; one of the standard library, to the
crate of the function that it was inlined into. What is called there, and libc, is nobody's."""

import os, re, socket, subprocess
from load import ASKED, Case, Token, listed, written
from over_http import ORDERS, VERIFY
from render import Aim, Column, thousands
from servers import Rescind, free_ports, keys, nginx
from tokens import key

FORWARD, SINGLE, GATEWAY = "Rescind, forward-auth", "Rescind, `/v1/verify`", "Rescind, gateway"
# By a file's path, or the name of a function; the first that fits.
GROUPS = {
    "layers": r"\b(axum|tower|tracing|prometheus)",
    "ours": r"\bcrates/(access|coherence|core|guard|node|server|store)/|\brescind_(access|coherence|core|guard|node|server|store)\b",
    "http": r"\b(hyper|http|httparse|httpdate)\b",
    "hashes": r"\b(sha2|hmac|digest|block-buffer|constant_time_eq|crc32fast)\b",
    "runtime": r"\b(tokio|mio|futures|bytes)\b",
}
STANDARD = r"/rustc/|^library/"
WARM = 50
# For each second of `--seconds`.
REQUESTS = 200

TITLE = "What a request is made of"
COLUMNS = [
    Column("all", "instructions a request", thousands, better="less"), Column("layers", "layers", thousands), Column("ours", "Rescind", thousands),
    Column("http", "HTTP", thousands), Column("hashes", "hashes", thousands), Column("runtime", "runtime", thousands), Column("rest", "std and libc", thousands),
]
AIMS = [Aim(f"{name}: layers, of all", lambda rows, name=name: [one / whole for one, whole in zip(rows[name]["layers"], rows[name]["all"])],
            at_most=0.1, shown=lambda value: f"{value:.3f}") for name in (FORWARD, SINGLE, GATEWAY)]
RIVALS, PLOTS = {}, []


def run(settings, scratch, measured):
    [api] = free_ports(1)
    nginx(os.path.join(scratch, "api"), f"server {{ listen 127.0.0.1:{api}; return 204; }}")
    output = os.path.join(scratch, "callgrind.out")
    counting = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}"]
    rescind = Rescind(os.path.join(scratch, "rescind"), keys(scratch), upstream=f"http://127.0.0.1:{api}", under=counting)
    token = key()
    rescind.import_tokens([token])
    tokens = written(scratch, "one.tokens", listed([Token(token, 200)]))
    noted = "callgrind knows no SHA instructions of the processor: hashes weigh more here"
    for case in (Case(FORWARD, [rescind], rescind.verify, ASKED, tokens, noted), Case(SINGLE, [rescind], rescind.verify, VERIFY + '{"token":"{token}"}', tokens),
                 Case(GATEWAY, [rescind], rescind.public, ORDERS, tokens)):
        measured(case, counted(case, rescind, token, output, round(REQUESTS * settings.seconds)))


def counted(case, rescind, token, output, requests):
    """Its instructions, each divided by the number of requests."""
    pid = rescind.processes[0].pid
    with socket.create_connection(case.address.split(":")) as client:
        ask(client, case, token, WARM)
        control(pid, "--zero")
        control(pid, "--instr=on")
        ask(client, case, token, requests)
        control(pid, "--instr=off")
    before = set(dumps(output))
    control(pid, "--dump")
    [dump] = set(dumps(output)) - before
    text = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", dump], capture_output=True, text=True, check=True).stdout
    figures = dict.fromkeys(["all", "rest", *GROUPS], 0)
    for line in re.finditer(r"(?m)^\s*([\d,]+) \(.*?%\)  (\S+?):(\S+)", text):
        count, path, function = int(line[1].replace(",", "")) / requests, line[2], line[3]
        whose = function if re.search(STANDARD, path) else path
        group = next((name for name, named in GROUPS.items() if re.search(named, whose)), "rest")
        figures[group] += count
        figures["all"] += count
    return figures


def ask(client, case, token, count):
    head, body = case.request.replace("{token}", token).split("\n\n", 1)
    length = f"\r\nContent-Length: {len(body)}" if body else ""
    request = (head.replace("\n", "\r\n") + length + "\r\n\r\n" + body).encode()
    for _ in range(count):
        client.sendall(request)
        answer = client.recv(65_536)
        assert re.match(rb"HTTP/1.1 20[04] ", answer), answer[:200]


def control(pid, what):
    subprocess.run(["callgrind_control", what, str(pid)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def dumps(output):
    folder, name = os.path.split(output)
    return [os.path.join(folder, entry) for entry in os.listdir(folder) if entry.startswith(name)]
