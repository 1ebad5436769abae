#!/usr/bin/env python3
"""Verification over HTTP beside nginx, in one run, in turn, on the same core.

    python3 bench/beside_nginx.py [--seconds 5] [--rounds 3]

Needs nginx, wrk and taskset (Debian: nginx-light, wrk, util-linux) and `cargo build --release -p rescind`.
The server has one thread on core 0, wrk one on core 1, 64 connections. Only ratios within a run mean anything:
the table gives the median over the rounds, and the CPU time of all processes behind a request.
"""

import argparse, json, os, re, shutil, statistics, subprocess, sys, tempfile
from servers import binary, ended, free_ports, keys, post, wait_for

CONNECTIONS = 64
TICKS = os.sysconf("SC_CLK_TCK")


def main():
    args = arguments()
    for program in ("nginx", "wrk", "taskset"):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        ports = dict(zip(("static", "upstream", "proxy"), free_ports(3)))
        # The upstream is a process of its own for both: a proxy that is its own upstream saves the switches.
        upstream, nginx = start_nginx(scratch, ports, "upstream"), start_nginx(scratch, ports, "nginx")
        rescind, info = start_rescind(scratch, f"http://127.0.0.1:{ports['upstream']}")
        try:
            measure(args, nginx, upstream, rescind, info, ports, scratch)
        finally:
            ended((rescind, nginx, upstream))


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def measure(args, nginx, upstream, rescind, info, ports, scratch):
    token = issue(info)
    verify = script(scratch, "verify.lua", "POST", {"Content-Type": "application/json"}, json.dumps({"token": token}))
    bearer = script(scratch, "bearer.lua", "GET", {"X-API-Key": token}, "")
    plain = script(scratch, "plain.lua", "GET", {}, "")
    nginx_204 = f"http://127.0.0.1:{ports['static']}/"
    nginx_proxy = f"http://127.0.0.1:{ports['proxy']}/v1/orders"
    cases = {
        "nginx, return 204": (nginx_204, plain, [nginx]),
        "rescind, POST /v1/verify": (info["verify_url"] + "/v1/verify", verify, [rescind]),
        "nginx, plain proxy": (nginx_proxy, bearer, [nginx, upstream]),
        "rescind, gateway (bearer)": (info["base_url"] + "/v1/orders", bearer, [rescind, upstream]),
    }
    results = {name: [] for name in cases}
    for _ in range(args.rounds):
        for name, (url, lua, processes) in cases.items():
            results[name].append(one(url, lua, processes, args.seconds))
    report(results)


def one(url, lua, processes, seconds):
    before = sum(cpu(process.pid) for process in processes)
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", lua, url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = sum(cpu(process.pid) for process in processes) - before
    requests = int(re.search(r"(\d+) requests in", output)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    if bad or requests == 0:
        sys.exit(f"{url} did not answer as it should:\n{output}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])
    return rate, 1e6 * spent / requests, re.search(r"(?m)^ +50%\s+(\S+)", output)[1]


def report(results):
    base = {"rescind, POST /v1/verify": "nginx, return 204", "rescind, gateway (bearer)": "nginx, plain proxy"}
    print(f"{'':28} {'requests/s':>11} {'CPU µs/req':>11} {'p50':>9}   against nginx: throughput, CPU")
    medians = {name: [statistics.median(r[i] for r in runs) for i in (0, 1)] for name, runs in results.items()}
    for name, (rate, micros) in medians.items():
        ratio = ""
        if name in base:
            other = medians[base[name]]
            ratio = f"   {rate / other[0]:.2f} ×, {micros / other[1]:.2f} ×"
        print(f"{name:28} {rate:11.0f} {micros:11.1f} {results[name][0][2]:>9}{ratio}")


def cpu(pid):
    """Seconds of CPU of a process and its children that still run."""
    total = 0
    for candidate in [pid] + children(pid):
        with open(f"/proc/{candidate}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as listing:
        return [int(child) for child in listing.read().split()]


def start_nginx(scratch, ports, role):
    own = os.path.join(scratch, role)
    os.mkdir(own)
    servers = f"server {{ listen 127.0.0.1:{ports['upstream']}; return 204; }}" if role == "upstream" else f"""
  upstream api {{ server 127.0.0.1:{ports['upstream']}; keepalive 128; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{ports['static']}; return 204; }}
  server {{ listen 127.0.0.1:{ports['proxy']};
    location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://api; }} }}"""
    config = f"""
daemon off; worker_processes 1; pid {own}/pid; error_log {own}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {own}/a; proxy_temp_path {own}/b; fastcgi_temp_path {own}/c;
  uwsgi_temp_path {own}/d; scgi_temp_path {own}/e;
  {servers}
}}"""
    path = os.path.join(own, "nginx.conf")
    with open(path, "w") as file:
        file.write(config)
    process = subprocess.Popen(["taskset", "-c", "0", "nginx", "-c", path, "-p", own])
    wait_for(f"http://127.0.0.1:{ports['upstream' if role == 'upstream' else 'static']}/")
    return process


def start_rescind(scratch, upstream):
    data = os.path.join(scratch, "data")
    os.mkdir(data, 0o700)
    key, admin, admin_token = keys(data)
    public, verify, operators = free_ports(3)
    settings = {
        "store.path": data, "sealing.key_files": key, "admin.bootstrap_token_file": admin,
        "public.listen": f"127.0.0.1:{public}", "verify.listen": f"127.0.0.1:{verify}",
        "admin.listen": f"127.0.0.1:{operators}", "gateway.upstream": upstream, "log.level": "warn",
    }
    flags = [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]
    environment = {**os.environ, "TOKIO_WORKER_THREADS": "1"}
    process = subprocess.Popen(["taskset", "-c", "0", binary(), "serve", *flags], env=environment)
    info = {"base_url": f"http://127.0.0.1:{public}", "verify_url": f"http://127.0.0.1:{verify}",
            "admin_url": f"http://127.0.0.1:{operators}", "admin_token": admin_token}
    wait_for(info["admin_url"] + "/health")
    return process, info


def issue(info):
    user = post(info, "/v1/users", {"email": "bench@example.com", "password": "correct horse battery"})
    return post(info, "/v1/tokens", {"owner_id": user["id"], "kind": "bearer"})["token"]


def script(scratch, name, method, headers, body):
    lines = [f'wrk.method = "{method}"', f"wrk.body = {json.dumps(body)}" if body else ""]
    lines += [f'wrk.headers["{key}"] = "{value}"' for key, value in headers.items()]
    path = os.path.join(scratch, name)
    with open(path, "w") as file:
        file.write("\n".join(lines))
    return path


main()
