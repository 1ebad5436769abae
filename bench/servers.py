"""The release build of Rescind, its keys, its admin API and free ports, for the benchmarks beside this file."""

import json, os, signal, socket, subprocess, sys, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def binary():
    path = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", "rescind")
    return path if os.path.exists(path) else sys.exit("build it first: cargo build --release -p rescind")


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


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one_socket in sockets:
        one_socket.bind(("127.0.0.1", 0))
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
        process.wait(30)
