import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadConfig } from '../config/load.js';
import { readTextFile } from '../config/read-text-file.js';
import { systemClock } from '../src/clock.js';
import { createEmbeddedConsul } from '../src/consul/embedded/embedded-consul.js';
import type { Cause } from '../src/model/cause.js';
import { clientKey } from '../src/model/key.js';
import { noMetrics, silentLogger } from '../src/observe.js';
import { clientsWithAcl, planAcl, readAllAcl } from '../src/reconcile/acl/fleet-acl.js';
import { NO_FOLLOW_UPS } from '../src/reconcile/deps.js';
import { readBothSides } from '../src/reconcile/read-all.js';
import { sweep } from '../src/reconcile/sweep.js';
import { createReconciler } from '../src/reconciler.js';
import { startConsul } from '../test/stack/consul.js';
import { startIdp } from '../test/support/idp.js';
import { startKeySetServer } from '../test/support/key-set-server.js';
import { createCore, openConsul, openProvider, openStore } from '../workers/wire.js';

// One client's change with many clients' auth methods beside it, on a real Consul or the embedded one.
// npx tsx bench/acl-clients.ts [CLIENTS] [real|embedded]

const CLIENTS = Number(process.argv[2] ?? 1_000);
const isReal = (process.argv[3] ?? 'real') === 'real';
const signal = new AbortController().signal;
const keys = await startKeySetServer();
const idp = await startIdp({ single: true, now: Date.now });
const consul = await start();
const directory = mkdtempSync(join(tmpdir(), 'scopemesh-bench-'));

async function start(): Promise<{ address: string; token: string; stop(): Promise<void> }> {
  if (isReal) {
    const real = await startConsul();
    return { address: real.httpAddress, token: real.managementToken, stop: () => real.stop() };
  }
  const embedded = await createEmbeddedConsul({ defaultPolicy: 'deny' });
  return { address: embedded.address, token: embedded.managementToken, stop: () => embedded.close() };
}

const nameOf = (index: number) => `client-${index}`;
const put = (index: number, ...scopes: string[]) => idp.put(nameOf(index), ...scopes);

async function timed<T>(what: string, run: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const result = await run();
  console.log(`${what}: ${(performance.now() - begun).toFixed(0)} ms`);
  return result;
}

for (let index = 0; index < CLIENTS; index++) put(index, 'config:read', `app${index % 100}:keys`);
const path = join(directory, 'scopemesh.yaml');
writeFileSync(
  path,
  stringify({
    owner: 'bench',
    mode: 'enforce',
    consul: { address: consul.address, token: consul.token },
    providers: [
      {
        name: 'main',
        kind: 'oidc',
        issuer: keys.address,
        audience: 'consul',
        directory: idp.url,
        directoryToken: idp.directoryToken,
      },
    ],
    scopes: {
      'config:read': { acl: 'key_prefix "config/" { policy = "read" }' },
      '{name}:keys': { acl: 'key_prefix "{name}/" { policy = "write" }' },
    },
    state: { directory },
  }),
);
const { config } = await loadConfig({ path, environment: {}, readFile: readTextFile });
const ambience = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
const store = await openStore(config, ambience);
const port = await openConsul(config.consul, config.owner, ambience);
const providers = config.providers.map((settings) => openProvider(settings, config.groups, ambience));
const { deps } = createCore(config, { consul: port, providers, store }, ambience);
const recall = async () => new Map<string, string>();
const planAll = () => planAcl(clientsWithAcl(deps), deps, systemClock.now(), recall);

await timed(`both sides read, ${CLIENTS} clients`, () => readBothSides(deps, signal));
const plans = await timed('every client planned', planAll);
await timed('every object written', async () => {
  const made = new Set<string>();
  const work = plans.values();
  const worker = async () => {
    for (const { plan } of work)
      for (const { step, subject } of plan.changes) {
        if (step.do !== 'write' || made.has(subject)) continue;
        made.add(subject);
        await port.acl.write(step.id, step.object, signal);
      }
  };
  // The first makes what all share.
  for (const { plan } of plans.slice(0, 100)) {
    for (const { step, subject } of plan.changes) {
      if (step.do !== 'write' || step.object.kind !== 'acl-policy' || made.has(subject)) continue;
      made.add(subject);
      await port.acl.write(step.id, step.object, signal);
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker));
});
await timed('every object read', () => readAllAcl(deps, signal));
const left = await timed('every client planned again', planAll);
console.log(`left to do: ${left.reduce((sum, { plan }) => sum + plan.changes.length, 0)}`);
await timed('a sweep', () => sweep(deps, signal));

const reconcile = createReconciler(deps);
const change = async (index: number) => {
  const key = clientKey('main', nameOf(index));
  const cause: Cause = { kind: 'webhook', receivedAt: new Date().toISOString() };
  const evidence = [{ provider: 'main', clients: [nameOf(index)] }];
  await reconcile(
    { key, triggers: [{ key, cause, urgent: true, evidence }], attempts: 0 },
    signal,
    NO_FOLLOW_UPS,
  );
};
for (const round of [1, 2, 3]) {
  put(round, 'config:read');
  await timed('a scope taken from one client', () => change(round));
  put(round, 'config:read', 'app1:keys');
  await timed('a scope given to one client', () => change(round));
  idp.change(nameOf(round), { enabled: false });
  await timed('one client disabled', () => change(round));
}
await store.close();
await port.close();
for (const { directory: reader } of providers) await reader.close();
await consul.stop();
await Promise.all([idp.close(), keys.close()]);
rmSync(directory, { recursive: true, force: true });
