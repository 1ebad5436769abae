"""Part "http": verification over HTTP, beside nginx and beside a hyper server that verifies nothing.

All that answer for themselves get the same bytes. What stands behind a proxy (the API, and who is asked about each
request) is a process of its own in each case: a proxy that is its own upstream saves the switches between the two."""

import json, os
from load import ASKED, Case, Token, listed, one_round, written
from render import Aim, Column, Plot, micros, ratio, thousands
from servers import Rescind, free_ports, keys, nginx, served
from tokens import key, mixed

NGINX, HYPER = "nginx, `return 204`", "hyper, 204"
FORWARD, FORWARD_MANY = "Rescind, forward-auth", "Rescind, forward-auth, a mix of all tokens"
SINGLE, BATCH = "Rescind, `/v1/verify`", "Rescind, `/v1/verify`, 100 at once"
PROXY, GATEWAY = "nginx, plain proxy", "Rescind, gateway"
AUTH_STATIC, AUTH_RESCIND = "nginx, `auth_request` to a static 204", "nginx, `auth_request` to Rescind"
AT_ONCE = 100

TITLE = "Over HTTP"
COLUMNS = [
    Column("rate", "requests/s", thousands, better="more"), Column("cpu", "CPU a request", micros, better="less"),
    Column("busy", "cores busy", lambda share: f"{share:.2f}"), Column("p50", "p50", micros), Column("p99", "p99", micros), Column("p999", "p99.9", micros),
]
AIMS = [
    Aim("forward-auth, of nginx's `return 204`: requests/s", ratio("rate", FORWARD, NGINX), at_least=0.95),
    Aim("the same: CPU a request", ratio("cpu", FORWARD, NGINX), at_most=1.1),
    Aim("nginx's `auth_request` to Rescind, of the same to a static 204: requests/s", ratio("rate", AUTH_RESCIND, AUTH_STATIC), at_least=0.97),
    Aim("gateway, of nginx as a plain proxy: requests/s", ratio("rate", GATEWAY, PROXY), at_least=0.9),
    Aim("gateway, of nginx with `auth_request` to a static 204: requests/s", ratio("rate", GATEWAY, AUTH_STATIC), at_least=1.4),
    Aim("verifications/s in batches of 100, of single ones", ratio("rate", BATCH, SINGLE, times=AT_ONCE), at_least=20),
]
RIVALS = {FORWARD: [NGINX, HYPER], SINGLE: [NGINX, HYPER], GATEWAY: [PROXY, AUTH_STATIC], AUTH_RESCIND: [AUTH_STATIC]}
PLOTS = [Plot("http-rate", "rate", "requests a second"), Plot("http-cpu", "cpu", "CPU a request, µs", scale=1e6)]


def run(settings, scratch, measured):
    cases = set_up(settings, scratch)
    for _ in range(settings.rounds):
        for case in cases:
            measured(case, one_round(case, scratch, settings.seconds))


def set_up(settings, scratch):
    static, api, proxy, asking_static, asking_rescind, checker = free_ports(6)
    upstream = nginx(os.path.join(scratch, "api"), f"server {{ listen 127.0.0.1:{api}; return 204; }}")
    checking = nginx(os.path.join(scratch, "checker"), f"server {{ listen 127.0.0.1:{checker}; return 204; }}")
    rescind = Rescind(os.path.join(scratch, "rescind"), keys(scratch), upstream=f"http://127.0.0.1:{api}")
    front = nginx(os.path.join(scratch, "front"), f"""
  server {{ listen 127.0.0.1:{static}; return 204; }}
  upstream api {{ server 127.0.0.1:{api}; {KEEPALIVE} }}
  upstream checker {{ server 127.0.0.1:{checker}; {KEEPALIVE} }}
  upstream rescind {{ server {rescind.verify}; {KEEPALIVE} }}
  proxy_http_version 1.1; proxy_set_header Connection "";
  server {{ listen 127.0.0.1:{proxy}; location / {{ proxy_pass http://api; }} }}
  {asking(asking_static, "http://checker")}
  {asking(asking_rescind, "http://rescind/v1/forward-auth/nginx")}""")
    hyper, hyper_at = served(scratch, "no-content")

    some = [key() for _ in range(max(AT_ONCE, settings.tokens))]
    rescind.import_tokens(some)
    one, known = (written(scratch, f"{status}.tokens", Token(some[0], status).line()) for status in (204, 200))
    single = written(scratch, "single.tokens", Token(some[0], 200, says='"valid":true').line())
    many = written(scratch, "many.tokens", listed(mixed([Token(text, 200) for text in some], [], [Token(key(), 401) for _ in some[::9]])))
    batch = json.dumps({"items": [{"token": text} for text in some[:AT_ONCE]]}, separators=(",", ":"))
    said = written(scratch, "batch.tokens", Token(some[0], 200, says='"valid":true').line())

    def at(port):
        return f"127.0.0.1:{port}"

    behind = "one nginx worker behind it, a process of its own"
    return [
        Case(NGINX, [front], at(static), ASKED, one, "one worker"),
        Case(HYPER, [hyper], hyper_at, ASKED, one, "one thread, set up as Rescind's listeners"),
        Case(FORWARD, [rescind], rescind.verify, ASKED, known, "one thread, SQLite"),
        Case(FORWARD_MANY, [rescind], rescind.verify, ASKED, many, "nine valid ones, one unknown"),
        Case(SINGLE, [rescind], rescind.verify, VERIFY + '{"token":"{token}"}', single),
        Case(BATCH, [rescind], rescind.verify, VERIFY + batch, said),
        Case(PROXY, [front, upstream], at(proxy), ORDERS, one, f"`keepalive 128`, {behind}"),
        Case(GATEWAY, [rescind, upstream], rescind.public, ORDERS, one, behind),
        Case(AUTH_STATIC, [front, checking, upstream], at(asking_static), ORDERS, one, f"as docs/proxies/nginx.md; {behind}, and who is asked too"),
        Case(AUTH_RESCIND, [front, rescind, upstream], at(asking_rescind), ORDERS, one, f"as docs/proxies/nginx.md; {behind}"),
    ]


KEEPALIVE = "keepalive 128; keepalive_requests 100000000;"
ORDERS = "GET /v1/orders HTTP/1.1\nHost: api\nX-API-Key: {token}\n\n"
VERIFY = "POST /v1/verify HTTP/1.1\nHost: rescind\nContent-Type: application/json\n\n"
TOLD = ("Subject", "Token-Id", "Token-Kind", "Scopes", "Tenant", "Profile-Id", "Account", "Email", "Body")
HIDDEN = ("Authorization", "X-API-Key", "lmts-api-key", "lmts-timestamp", "lmts-signature", "lmts-covers", "X-Original-URL", "X-Rewrite-URL")


def asking(port, whom):
    """A server of nginx that asks somebody about each request, set up as docs/proxies/nginx.md has it."""
    variables = {f"X-Rescind-{name}": f"rescind_{name.lower().replace('-', '_')}" for name in TOLD}
    said = "\n".join(f"    auth_request_set ${variable} $upstream_http_{header.lower().replace('-', '_')};" for header, variable in variables.items())
    passed = "\n".join(f"    proxy_set_header {header} ${variable};" for header, variable in variables.items())
    removed = "\n".join(f'    proxy_set_header {header} "";' for header in HIDDEN)
    return f"""
  server {{ listen 127.0.0.1:{port};
    auth_request /_ask;
{said}
{passed}
{removed}
    proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Real-IP $remote_addr;
    location / {{ proxy_pass http://api; }}
    location = /_ask {{ internal; proxy_pass {whom};
      proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header Transfer-Encoding "";
      proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Original-Method $request_method; proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header Connection ""; proxy_set_header Host rescind; proxy_connect_timeout 1s; proxy_read_timeout 5s; proxy_cache off; }}
  }}"""
