"""Part "in-process": one verification and its parts, by criterion (crates/core/benches, crates/guard/benches).

A round is all of the benchmarks one after the other, and a ratio is made of two medians of one round. What stands
below the line is what no verification can do without: the SHA-256 of a token, the HMAC of a request."""

import glob, json, os, subprocess, sys, tempfile
from types import SimpleNamespace
from instructions import QUICKLY_BUILT
from render import Aim, Column, micros, ratio
from servers import ROOT

BENCHES = {"core": "rescind-core", "guard": "rescind-guard"}
SIZES = (1_000, 1_000_000, 10_000_000)

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


def spoken(tokens):
    """As crates/guard/benches/guard says it."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if tokens % unit == 0:
            return f"{tokens // unit}{letter}"
    return str(tokens)


def aims():
    for size in map(spoken, SIZES):
        for over, under, aim, sizes in RATIOS:
            over, under = over.format(size), under.format(size)
            yield Aim(f"{over}, of {under}", ratio("time", over, under), at_most=aim if not sizes or size in sizes else None)


TITLE = "One verification, in process"
COLUMNS = [Column("time", "time", micros)]
AIMS = list(aims())
RIVALS, PLOTS = {}, []


def run(settings, scratch, measured):
    programs = built(QUICKLY_BUILT if settings.quick else {})
    sizes = [size for size in SIZES if size <= settings.largest]
    for _ in range(settings.rounds):
        for name, nanos in sorted(one_round(programs, sizes, settings).items()):
            measured(SimpleNamespace(name=name, settings=""), {"time": nanos / 1e9})


def built(environment):
    packages = [word for package in BENCHES.values() for word in ("-p", package)]
    targets = [word for bench in BENCHES for word in ("--bench", bench)]
    command = ["cargo", "bench", *packages, *targets, "--no-run", "--locked", "--quiet", "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    made = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [one["executable"] for one in made if one.get("executable") and one["target"]["name"] in BENCHES]


def one_round(programs, tokens, settings):
    """The median of each benchmark in ns. Criterion keeps its estimates in a place of their own, so that none of an
    earlier run is taken for one of this."""
    how = ["--warm-up-time", "1", "--measurement-time", str(settings.seconds)]
    if settings.quick:
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
