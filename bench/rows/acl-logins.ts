import { setTimeout as delay } from 'node:timers/promises';
import { exportJWK, generateKeyPair } from 'jose';
import { runSettled } from '../../src/reconcile/run-settled.js';
import { byAnsibleRoles } from '../support/alternatives.js';
import { type BenchConsul, countBetween, inParallel } from '../support/consul.js';
import { bestConcurrency } from '../support/raw-writes.js';
import { type Bench, LIMIT, OURS, type Row, type Sample } from '../support/row.js';
import { openScene, type Scene } from '../support/scene.js';
import { clientOf, serviceName } from '../support/world.js';

const CLIENTS = 10_000;
const OBJECTS_PER_CLIENT = 4;
const ANSIBLE = "Ansible's consul_role";

/** Login methods for many clients: a policy, a role, an auth method and a binding rule each. */
export const aclLogins: Row = {
  name: 'acl-logins',
  title: 'ACL login methods of 10,000 clients: policy, role, auth method and binding rule each',
  limit: 'the same four PUTs',
  needs: ['consul'],
  figures: [
    {
      id: 'rate',
      label: 'objects, first to last write',
      unit: '/s',
      targets: [{ against: LIMIT, atLeast: 0.6 }],
    },
    { id: 'total', label: 'start to last write', unit: 's' },
  ],
  async open(bench) {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    const keys = [{ ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'RS256', use: 'sig' }];
    const clients = bench.scaled(CLIENTS, 20);
    return {
      contestants: new Map<string, () => Promise<Sample>>([
        [OURS, () => byApply(keys, clients)],
        [LIMIT, () => byBareWrites(keys, clients, bench)],
        [ANSIBLE, async () => ({ rate: await byAnsibleRoles() })],
      ]),
      close: async () => {},
    };
  },
};

const open = (keys: readonly object[], clients: number): Promise<Scene> => {
  const names = Array.from({ length: clients }, (_, index) => serviceName(index));
  const world = {
    services: [],
    clients: names.map((name) => clientOf(`${name}-app`, [name], [`${name}:keys`])),
  };
  return openScene(world, {
    keys,
    provider: { audience: 'consul' },
    file: { scopes: { '{service}:keys': { acl: 'key_prefix "{service}/" { policy = "write" }' } } },
  });
};

const LOOK_EVERY_MS = 25;

async function byApply(keys: readonly object[], clients: number): Promise<Sample> {
  const scene = await open(keys, clients);
  try {
    return await timed(scene.consul, clients, () => scene.command('apply', '--yes'));
  } finally {
    await scene.close();
  }
}

/** Dates the first and the last write by Consul's own count, for each contestant: the looks cost Consul some time. */
async function timed(consul: BenchConsul, clients: number, work: () => Promise<unknown>): Promise<Sample> {
  const before = await consul.requests();
  const looks: { at: number; writes: number }[] = [];
  let isDone = false;
  const looking = (async () => {
    while (!isDone) {
      const writes = countBetween(before, await consul.requests(), 'PUT v1_acl_');
      looks.push({ at: performance.now(), writes });
      await delay(LOOK_EVERY_MS);
    }
  })();
  // Both end before the server stops, also where one of them fails.
  const looked = runSettled(() => looking);
  const begun = performance.now();
  const worked = await runSettled(work);
  const ended = performance.now();
  isDone = true;
  for (const outcome of [worked, await looked]) if (outcome.status === 'rejected') throw outcome.reason;
  await expectRules(consul, clients);
  const most = clients * OBJECTS_PER_CLIENT;
  const last = looks.find(({ writes }) => writes >= most)?.at ?? ended;
  const first = looks.findLast(({ writes }) => writes === 0)?.at ?? begun;
  return { rate: most / ((last - first) / 1000), total: (last - begun) / 1000 };
}

async function expectRules(consul: BenchConsul, expected: number): Promise<void> {
  const rules: unknown = JSON.parse((await consul.send('GET', '/v1/acl/binding-rules')).text);
  const count = Array.isArray(rules) ? rules.length : 0;
  if (count !== expected) throw new Error(`Consul has ${count} binding rules of ${expected}`);
}

async function byBareWrites(keys: readonly object[], clients: number, bench: Bench): Promise<Sample> {
  const scene = await open(keys, clients);
  try {
    const writer = (consul: BenchConsul, most: number, first: number, count: number) =>
      inParallel(most, count, (at) => writeOne(consul, `bench-${first + at}`, scene.idp.origin));
    const concurrency = await bestConcurrency('acl', writer, 150);
    bench.progress(`acl-logins: ${concurrency} bare writes in flight`);
    return await timed(scene.consul, clients, () => writer(scene.consul, concurrency, 0, clients));
  } finally {
    await scene.close();
  }
}

/** What one client needs, one after the other because each names the one before it. */
async function writeOne(consul: BenchConsul, name: string, issuer: string): Promise<void> {
  const put = (path: string, body: object) => consul.send('PUT', `/v1/acl/${path}`, JSON.stringify(body));
  await put('policy', { Name: name, Rules: `key_prefix "${name}/" { policy = "write" }` });
  await put('role', { Name: name, Policies: [{ Name: name }] });
  await put('auth-method', {
    Name: name,
    Type: 'jwt',
    MaxTokenTTL: '1h',
    Config: {
      JWKSURL: `${issuer}/jwks`,
      BoundIssuer: issuer,
      BoundAudiences: ['consul'],
      JWTSupportedAlgs: ['RS256'],
      ClaimMappings: { client_id: 'client_id' },
    },
  });
  const selector = `"client_id" in value and value.client_id == "${name}"`;
  await put('binding-rule', { AuthMethod: name, BindType: 'role', BindName: name, Selector: selector });
}
