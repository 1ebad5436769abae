#!/usr/bin/env python3
"""One verification in process: what criterion measures (crates/core/benches, crates/guard/benches), and the ratios.

    python3 bench/in_process.py [--quick] [--rounds 3] [--tokens 1000,1000000] [--seconds 5] [--json]

A round is all of the benchmarks one after the other, and a ratio is made of two medians of one round. With ten million
tokens the index takes about three GB. `--quick` finishes in seconds and says only that all of it still runs.
"""

import argparse, glob, json, os, statistics, subprocess, sys, tempfile
from instructions import QUICKLY_BUILT

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCHES = {"core": "rescind-core", "guard": "rescind-guard"}

TOKEN = "limit/SHA-256 of a token"
# For each number of tokens: what is measured, what it stands beside, and at most how many times as much it may be, at
# the numbers that are named (at all, if none is).
RATIOS = [
    ("bearer, {}/hot", TOKEN, 2.2, ()),
    ("bearer, {}/cold", TOKEN, 8.0, ("1M",)),
    ("bearer, {}, 5 an owner/cold", TOKEN, None, ()),
    ("bearer, {}/unknown, hot", TOKEN, None, ()),
    ("bearer, {}/unknown, cold", TOKEN, None, ()),
    ("signed, {}/no body, hot", "limit/HMAC, no body", 1.7, ()),
    ("signed, {}/no body, cold", "limit/HMAC, no body", None, ()),
    ("signed, {}/300 B, hot", "limit/SHA-256, 300 B", None, ()),
    ("signed, {}/1 KiB, hot", "limit/SHA-256, 1 KiB", 1.5, ()),
    ("signed, {}/4 KiB, hot", "limit/SHA-256, 4 KiB", None, ()),
    ("signed, {}/1 MiB, hot", "limit/SHA-256, 1 MiB", None, ()),
    ("storm, {}/bearer, hot, storm", "storm, {}/bearer, hot, quiet", 1.1, ()),
    ("storm, {}/bearer, cold, storm", "storm, {}/bearer, cold, quiet", 1.1, ()),
    ("storm, {}/signed, no body, storm", "storm, {}/signed, no body, quiet", 1.1, ()),
    ("threads, {}/two, hot, the same token", "threads, {}/one, hot", None, ()),
    ("threads, {}/two, hot, of the same owner", "threads, {}/one, hot", None, ()),
    ("threads, {}/two, hot, of different owners", "threads, {}/one, hot", None, ()),
    ("threads, {}/two, cold", "threads, {}/one, cold", None, ()),
]
# With one core there is nobody to share with.
WANT_TWO_CORES = ("storm", "threads")


def run(tokens=(1_000, 1_000_000), rounds=3, seconds=5, quick=False):
    """Rows: `name`, `unit` (ns, or × for a ratio), `figures` of each round, and of a ratio `aim`, or None."""
    programs = built(QUICKLY_BUILT if quick else {})
    measured = [one_round(programs, tokens, seconds, quick) for _ in range(rounds)]
    rows = [{"name": name, "unit": "ns", "figures": [figures[name] for figures in measured]}
            for name in sorted(measured[0])]
    return rows + [row for count in tokens for row in ratios(measured, spoken(count))]


def built(environment):
    packages = [word for package in BENCHES.values() for word in ("-p", package)]
    targets = [word for bench in BENCHES for word in ("--bench", bench)]
    command = ["cargo", "bench", *packages, *targets, "--no-run", "--locked", "--quiet", "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    made = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [one["executable"] for one in made if one.get("executable") and one["target"]["name"] in BENCHES]


def one_round(programs, tokens, seconds, quick):
    """The median of each benchmark in ns. Criterion keeps its estimates in a place of their own, so that none of an
    earlier run is taken for one of this."""
    how = ["--warm-up-time", "1", "--measurement-time", str(seconds)]
    if quick:
        how = ["--quick", "--nresamples", "1000", "--measurement-time", "0.3"]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"CRITERION_HOME": home, "RESCIND_BENCH_TOKENS": ",".join(map(str, tokens))}
        for program in programs:
            subprocess.run([program, "--bench", "--noplot", *how], env=environment, check=True,
                           stdout=sys.stderr)
        return dict(map(estimate, glob.glob(f"{home}/**/new/estimates.json", recursive=True)))


def estimate(path):
    with open(os.path.join(os.path.dirname(path), "benchmark.json")) as file:
        name = json.load(file)["full_id"]
    with open(path) as file:
        return name, json.load(file)["median"]["point_estimate"]


def ratios(measured, size):
    for over, under, aim, sizes in RATIOS:
        if len(os.sched_getaffinity(0)) < 2 and over.startswith(WANT_TWO_CORES):
            continue
        over, under = over.format(size), under.format(size)
        figures = [figures[over] / figures[under] for figures in measured]
        yield {"name": f"{over} ÷ {under}", "unit": "×", "figures": figures,
               "aim": aim if not sizes or size in sizes else None}


def spoken(tokens):
    """As crates/guard/benches/guard says it."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if tokens % unit == 0:
            return f"{tokens // unit}{letter}"
    return str(tokens)


def show(rows):
    for row in rows:
        median = statistics.median(row["figures"])
        spread = f"{min(row['figures']):,.2f} – {max(row['figures']):,.2f}" if len(row["figures"]) > 1 else ""
        aim = f"aim {row['aim']:g}, {'met' if median <= row['aim'] else 'missed'}" if row.get("aim") else ""
        print(f"{row['name']:88} {median:12,.2f} {row['unit']:3} {spread:24} {aim}".rstrip())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of what says nothing but that it runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", default="1000,1000000", help="how many there are, with commas between")
    parser.add_argument("--seconds", type=float, default=5, help="for each benchmark in each round")
    parser.add_argument("--json", action="store_true", help="the rows")
    return parser.parse_args()


def main():
    args = arguments()
    if args.quick:
        rows = run(tokens=(1_000,), rounds=1, quick=True)
    else:
        rows = run([int(count) for count in args.tokens.split(",")], args.rounds, args.seconds)
    json.dump(rows, sys.stdout, indent=1, ensure_ascii=False) if args.json else show(rows)


if __name__ == "__main__":
    main()
