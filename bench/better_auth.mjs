// better-auth's API-key plugin behind node's own HTTP server: GET verifies the key in X-API-Key, DELETE disables it.
//
//     node better_auth.mjs STORE DIRECTORY PORT KEYS LISTING
//
// STORE is sqlite, memory or secondary. It listens, makes KEYS keys by the plugin's own call, and then writes them to
// LISTING with their ids. What is switched off (rate limits, logs, telemetry) costs time and answers nothing.

import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getMigrations } from "better-auth/db/migration";
import { apiKey } from "@better-auth/api-key";
import { createServer } from "node:http";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const KEYS_PER_USER = 10;
const [store, directory, port, count, listing] = process.argv.slice(2);

const tables = { user: [], session: [], account: [], verification: [], apikey: [] };
const values = new Map();
const secondary = {
  get: (key) => values.get(key) ?? null,
  set: (key, value) => void values.set(key, value),
  delete: (key) => void values.delete(key),
};

const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: "a secret of a benchmark, which signs nothing",
  database: store === "sqlite" ? sqlite() : memoryAdapter(tables),
  ...(store === "secondary" ? { secondaryStorage: secondary } : {}),
  plugins: [apiKey({
    rateLimit: { enabled: false },
    deferUpdates: true,
    startingCharactersConfig: { shouldStore: false },
    storage: store === "secondary" ? "secondary-storage" : "database",
  })],
  rateLimit: { enabled: false },
  logger: { disabled: true },
  telemetry: { enabled: false },
});

function sqlite() {
  const database = new DatabaseSync(join(directory, "better-auth.db"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -262144");
  return database;
}

async function fill() {
  const context = await auth.$context;
  const lines = [];
  for (let made = 0; made < count; made += KEYS_PER_USER) {
    const user = await context.internalAdapter.createUser({ email: `user-${made}@example.com`, name: "Ada" });
    for (let one = made; one < Math.min(made + KEYS_PER_USER, count); one += 1) {
      const { key, id } = await auth.api.createApiKey({ body: { userId: user.id } });
      lines.push(`${key} ${id}/${user.id}`);
    }
  }
  writeFileSync(`${listing}.new`, lines.join("\n"), { mode: 0o600 });
  renameSync(`${listing}.new`, listing);
}

async function answer(request) {
  const key = request.headers["x-api-key"] ?? "";
  if (request.method !== "DELETE") return (await auth.api.verifyApiKey({ body: { key } })).valid ? 204 : 401;
  const [keyId, userId] = request.headers["x-key-id"].split("/");
  await auth.api.updateApiKey({ body: { keyId, userId, enabled: false } });
  return 204;
}

const server = createServer((request, response) => {
  const end = (status) => response.writeHead(status, status === 204 ? {} : { "Content-Length": 0 }).end();
  answer(request).then(end, () => end(500));
});
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 1024 });
if (store === "sqlite") await (await getMigrations(auth.options)).runMigrations();
await fill();
