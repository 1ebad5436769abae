#!/usr/bin/env python3
"""The hot path in instructions, compared with what was accepted: a rise of more than 3 % fails.

    bench/instructions.py            count, and compare with crates/guard/benches/instructions.txt
    bench/instructions.py --accept   count, and write that file: say in the commit why it changed

Needs valgrind. The cases are written for gungraun (crates/guard/benches/instructions.rs), and called here as its
runner would call them, under the same callgrind: to build that runner takes three and a half minutes of CPU, and it
has nothing that keeps a baseline in a file which can be read and committed. If a newer gungraun is called in another
way, this fails and does not count anything else.
"""

import argparse, itertools, json, os, platform, re, shutil, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BASELINE = os.path.join(ROOT, "crates", "guard", "benches", "instructions.txt")
SOURCE = os.path.join(ROOT, "crates", "guard", "benches", "instructions.rs")
# What may be added, in percent, before it wants a reason.
TOLERANCE = 3.0
HEAD = """\
# Instructions of one call, counted by callgrind over a hundred warm ones: see bench/instructions.py, which compares
# them and, with --accept, writes this file. Other figures come from another compiler, another valgrind (which has
# no SHA extensions: hashes weigh more here than on a processor) or one whose processor has no AVX2, which some
# libraries look for. libc's string functions are kept to those that every processor has. So between two machines
# that differ in one of these, counts are shown and not judged.
"""
# AVX-512 is not seen by programs under valgrind; AVX2 is, where the processor has it. libc is told to do without.
LIBC = "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM"
# The function that gungraun's macros put around what is to be counted.
COUNTED = "*::__gungraun_wrapper_mod::*"


def main():
    args = arguments()
    for program in ("valgrind", "setarch"):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed")
    here, counts = machine(), counted(built())
    if args.accept:
        write(here, counts)
        print(f"accepted: {os.path.relpath(BASELINE)}")
        return
    there, accepted = read()
    wrong, judged = compare(accepted, counts), here == there or accepted.keys() != counts.keys()
    if wrong and judged:
        sys.exit(f"instructions: {'; '.join(wrong)}. If there is a reason, say it in the commit, with the file that "
                 "bench/instructions.py --accept writes.")
    if wrong:
        print(f"counted on {here}, accepted on {there}: not judged")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", action="store_true", help="write what was counted into the file")
    return parser.parse_args()


# As a release, but for what that optimises across crates: it takes minutes to build, and only changes are looked at.
QUICKLY_BUILT = {"CARGO_PROFILE_BENCH_LTO": "off", "CARGO_PROFILE_BENCH_CODEGEN_UNITS": "16"}


def built():
    command = ["cargo", "bench", "-p", "rescind-guard", "--bench", "instructions", "--no-run", "--locked", "--quiet",
               "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, env=os.environ | QUICKLY_BUILT, check=True, stdout=subprocess.PIPE, text=True).stdout
    made = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return next(one["executable"] for one in made
                if one.get("executable") and one["target"]["name"] == "instructions")


def counted(program):
    """Instructions of one call of each case."""
    names = []
    for at in itertools.count():
        found = subprocess.run([program, *case(at)], capture_output=True, text=True, env={})
        if "index out of bounds" in found.stderr and names:
            break
        if found.returncode != 0:
            sys.exit(f"case {at} cannot be run:\n{found.stderr}")
        names.append(found.stdout.strip())
    if len(set(names)) != len(names):
        sys.exit(f"cases of the same name: {names}")
    with open(SOURCE) as file:
        calls = int(re.search(r"const CALLS: usize = (\d+);", file.read())[1])
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(os.cpu_count()) as pool:
        totals = pool.map(lambda at: under_callgrind(program, at, os.path.join(scratch, f"{at}.out")),
                          range(len(names)))
        return {name: round(total / calls) for name, total in zip(names, totals)}


def case(at):
    """As gungraun's runner asks for it: group, function and case."""
    return ["--gungraun-run", "d:d:000000", "00000", "00000", f"{at:05}"]


def under_callgrind(program, at, output):
    """Without the shell's environment, and always at the same addresses: both change what is on the stack where."""
    command = ["setarch", "-R", "valgrind", "--tool=callgrind", f"--callgrind-out-file={output}",
               f"--toggle-collect={COUNTED}", program, *case(at)]
    environment = {"PATH": os.environ["PATH"], "GLIBC_TUNABLES": LIBC}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    if ran.returncode != 0:
        sys.exit(f"case {at} failed under valgrind:\n{ran.stderr}")
    with open(output) as file:
        total = int(re.search(r"(?m)^(?:summary|totals): (\d+)", file.read())[1])
    return total if total > 0 else sys.exit(f"case {at}: nothing was counted")


def compare(accepted, counts):
    """Prints all of them, and answers with what must not be."""
    wrong = []
    print(f"{'instructions of one call':28} {'accepted':>9} {'now':>9}")
    for name in sorted(accepted.keys() | counts.keys()):
        old, new = accepted.get(name), counts.get(name)
        change, remark = "", ""
        if old is None or new is None:
            remark = "new" if old is None else "gone"
            wrong.append(f"{name}: {remark}")
        else:
            percent = 100 * (new - old) / old
            change = f"{percent:+.1f} %"
            if percent > TOLERANCE:
                remark = "too many"
                wrong.append(f"{name}: {change}")
            elif percent < -TOLERANCE:
                remark = "fewer: accept them, or that much can be lost again unseen"
        print(f"{name:28} {old or '':>9} {new or '':>9} {change:>9}  {remark}".rstrip())
    return wrong


def read():
    """Where they were accepted, and how many."""
    with open(BASELINE) as file:
        lines = file.read().splitlines()
    where = next(line[len("# On "):] for line in lines if line.startswith("# On "))
    pairs = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return where, {name: int(count) for count, name in pairs}


def write(where, counts):
    with open(BASELINE, "w") as file:
        file.write(f"{HEAD}# On {where}\n\n")
        file.writelines(f"{counts[name]:9}  {name}\n" for name in sorted(counts))


def machine():
    """What the counts depend on besides the code."""
    def version(*command):
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return re.search(r"\d+\.\d+(\.\d+)?", said)[0]
    with open("/proc/cpuinfo") as file:
        wide = " with AVX2" if re.search(r"(?m)^flags.* avx2\b", file.read()) else ""
    libc = " ".join(part for part in platform.libc_ver() if part)
    return f"{platform.machine()}{wide}, rustc {version('rustc', '--version')}, " \
        f"valgrind {version('valgrind', '--version')}, {libc}"


if __name__ == "__main__":
    main()
