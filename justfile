# The same commands that CI runs, and those too long for it. `just --list` shows them.

# Everything that CI checks
test:
    ./test

# Without the tests that start many processes
fast:
    ./test fast

fmt:
    cargo fmt --all

lint:
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# Rewrite generated documents (docs/configuration.md, api-reference.md, openapi.json)
docs:
    UPDATE_DOCS=1 cargo nextest run -p rescind-server -E 'test(documentation::)'

# Everything that docs/benchmarks.md says of one node: an hour, in which nothing else should run. `just bench --help`
bench *arguments:
    bench/run {{arguments}}

# Instruction counts of the hot path, compared with what was accepted; `just bench-instructions --accept` accepts them
bench-instructions *arguments:
    command -v valgrind >/dev/null || apt-get install -y valgrind
    bench/instructions.py {{arguments}}

# Revocations with three nodes beside bare commits of the same PostgreSQL: a quarter of an hour
bench-nodes:
    command -v wrk >/dev/null || apt-get install -y wrk
    cargo build --release -p rescind
    e2e/postgres/run python3 bench/several_nodes.py

# Each fuzz target for a while; needs a nightly toolchain and cargo-fuzz
fuzz seconds="60":
    cd fuzz && for target in $(cargo +nightly fuzz list); do \
        mkdir -p corpus/"$target" && cargo +nightly fuzz run "$target" corpus/"$target" seeds/"$target" -- -max_total_time={{seconds}} || exit 1; \
    done

# Three nodes and their clients under faults for longer; with rules of the protocol switched off it must fail
chaos seconds="900" writers="64" ablated="":
    cargo build --workspace --all-features
    CHAOS_SECONDS={{seconds}} CHAOS_WRITERS={{writers}} {{ if ablated == "" { "" } else { "CHAOS_ABLATED=" + ablated } }} \
        cargo test -p rescind-e2e --all-features --test it no_node_accepts -- --nocapture

# Left out is what knows how many servers there are, or what they rest on: `kill` and `syscalls` put one
# process to death and look into its SQLite file (`nodes` does such things to nodes); `migration` moves
# that file; `documentation` starts what its pages say; `house` starts nothing; and what has a twin for
# three nodes in `just test` already.
#
# The black-box tests of one server against several nodes, each request to one of them: five to seven minutes
several nodes="3":
    cargo build --workspace --all-features
    E2E_NODES={{nodes}} cargo nextest run -p rescind-e2e --all-features \
        -E 'kind(test) and not test(/^(documentation|house|kill|migration|nodes|syscalls)::/) and not test(three_nodes)'

# Each rule of the lease protocol is switched off in the real binary, and must be missed: about six minutes, or one rule
ablations rule="":
    cargo build --workspace --all-features
    {{ if rule == "" { "" } else { "RULE=" + rule } }} \
        cargo test -p rescind-e2e --all-features --test it every_rule_is_missed -- --ignored --nocapture

# What else takes long on three nodes: logins and a mass revocation, a primary that stands still; two minutes
nodes:
    cargo build --workspace --all-features
    cargo test -p rescind-e2e --all-features --test it nodes:: -- --ignored --skip every_rule --test-threads 1 --nocapture

# The model of the lease protocol with most faults at once: about ten minutes
model:
    cargo test --release -p rescind-coherence --all-features --test it model:: -- --ignored --nocapture --test-threads 1

# The simulated cluster with many seeds: about 60 of them a second
simulate seeds="20000" first="0":
    SEED={{first}} SEEDS={{seeds}} cargo test --release -p rescind-coherence --all-features --test it promises_are_kept -- --nocapture

# How revocations grow with the nodes, and a tree of edges, in virtual time: two minutes; writes docs/growth
growth:
    cargo test --release -p rescind-coherence --all-features --test it growth_is_measured -- --ignored --nocapture
