"""Runs the parts of the benchmarks, keeps every round's figures, and writes the page. `bench/run` is the command.

A part is a module with TITLE, COLUMNS, AIMS, RIVALS and PLOTS (see render.py), and a function
`run(settings, scratch, measured)` that goes round by round over all of its cases, so that noise falls on all, and
calls `measured(case, figures)` for each: any object with a name and settings, and a dictionary of numbers."""

import argparse, datetime, json, os, platform, re, shutil, signal, subprocess, sys, tempfile
import growth, in_process, layers, over_http, peers, render, writes
from servers import ROOT, binary, end_all

PARTS = {"in-process": in_process, "http": over_http, "peers": peers, "writes": writes, "growth": growth, "layers": layers}


def main():
    signal.signal(signal.SIGTERM, stopped)
    settings = arguments()
    results = load(settings.results)
    for name in [] if settings.render else (settings.only or ",".join(PARTS)).split(","):
        part = PARTS.get(name) or sys.exit(f"there is no part {name}, but {', '.join(PARTS)}")
        results |= {"machine": machine(), "versions": results["versions"] | versions()}
        results["parts"][name] = ran(name, part, settings)
        save(results, settings.results)
    render.pages(results, PARTS, settings.page, settings.plots)


def stopped(*_):
    """At once: what waits for a server in another thread finds it gone."""
    end_all()
    sys.exit(143)


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures Rescind beside what people use instead, and writes docs/benchmarks.md.")
    parser.add_argument("--quick", action="store_true", help="a second for each case, one round, few tokens, a copy of the page: whether all of it still runs")
    parser.add_argument("--only", help=f"parts, with commas between them, of {', '.join(PARTS)}")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the page from the results that there are")
    parser.add_argument("--seconds", type=float, help="for each case and load, in each round (5)")
    parser.add_argument("--rounds", type=int, help="over all cases (5)")
    parser.add_argument("--tokens", type=int, help="that are shown in turn (100000)")
    parser.add_argument("--largest", type=int, help="number of tokens, in process and where one node grows (10000000: 8 GB of disk and 3 GB of memory)")
    parser.add_argument("--revocations", type=int, help="of each peer, in each round (100)")
    settings = parser.parse_args()
    usual = dict(seconds=5, rounds=5, tokens=100_000, revocations=100, largest=10_000_000)
    quick = dict(seconds=0.5, rounds=1, tokens=200, revocations=5, largest=10_000)
    for name, value in (quick if settings.quick else usual).items():
        if getattr(settings, name) is None:
            setattr(settings, name, value)
    docs = os.path.join(ROOT, "docs")
    if settings.quick:
        docs = os.path.join(ROOT, "target", "bench")
        os.makedirs(docs, exist_ok=True)
        shutil.copy(os.path.join(ROOT, "docs", "benchmarks.md"), docs)
    settings.page, settings.plots = os.path.join(docs, "benchmarks.md"), os.path.join(docs, "benchmarks")
    settings.results = os.path.join(settings.plots, "results.json")
    return settings


def ran(name, part, settings):
    rows = {}

    def measured(case, figures):
        row = rows.setdefault(case.name, {"name": case.name, "settings": case.settings, "figures": {}})
        for key, value in figures.items():
            row["figures"].setdefault(key, []).append(value)
        print(f"{name}: {case.name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()), flush=True)

    with tempfile.TemporaryDirectory(prefix="rescind-bench.") as scratch:
        try:
            part.run(settings, scratch, measured)
        finally:
            end_all()
    kept = {key: getattr(settings, key) for key in ("seconds", "rounds", "tokens", "revocations", "largest")}
    commit = said("git", "-C", ROOT, "describe", "--always", "--dirty")
    return {"date": datetime.date.today().isoformat(), "commit": commit, "settings": kept, "rows": list(rows.values())}


def load(path):
    if not os.path.exists(path):
        return {"machine": {}, "versions": {}, "parts": {}}
    with open(path) as file:
        return json.load(file)


def save(results, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(results, file, indent=1, ensure_ascii=False)
        file.write("\n")


def machine():
    with open("/proc/cpuinfo") as file:
        processor = re.search(r"(?m)^model name\s*: (.*)$", file.read())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": f"{processor[1] if processor else platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "cores": "servers on the first, load on the last",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def versions():
    found = {
        "Rescind": said(binary(), "--version").split()[-1],
        "nginx": re.search(r"nginx/(\S+)", said("nginx", "-v"))[1],
        "wrk": re.search(r"wrk (?:debian/)?(\S+)", said("wrk", "-v"))[1],
        "rustc": said("rustc", "--version").split()[1],
    }
    return found | peers.versions()


def said(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.strip()


main()
