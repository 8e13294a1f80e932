import { expect, it } from 'vitest';
import { leaseLost } from '../../src/errors.js';
import { guardConsul } from '../../src/lease/guarded-consul.js';
import { against, failureOf } from '../consul/http/fault-server.js';

const never = new AbortController().signal;

/** All that change something in Consul, but for the lease itself. */
const WRITES = [
  'acl.delete',
  'acl.deleteTokens',
  'acl.write',
  'claims.write',
  'intentions.delete',
  'intentions.write',
  'jwtProviders.delete',
  'jwtProviders.write',
  'logNote.write',
  'quarantines.write',
];
const OTHERS = [
  'acl.read',
  'acl.readNamed',
  'acl.tokens',
  'claims.list',
  'close',
  'clusterId.create',
  'clusterId.read',
  'connectionsLeft',
  'inspect',
  'intentions.list',
  'intentions.read',
  'intentions.sizeOf',
  'jwtProviders.agentVersions',
  'jwtProviders.list',
  'lock.acquire',
  'lock.createSession',
  'lock.endSession',
  'lock.read',
  'lock.renewSession',
  'logNote.read',
  'proxyDefaults.readAccessLog',
  'quarantines.list',
  'readAclToken',
  'readCatalog',
  'readProxies',
  'unreadable',
  'watch',
];

type Call = (...args: readonly unknown[]) => unknown;

/** Every method by its name: those of the parts, and those of Consul itself. */
function methodsOf(consul: object): ReadonlyMap<string, Call> {
  const found = new Map<string, Call>();
  for (const [name, part] of Object.entries(consul)) {
    if (typeof part === 'function') found.set(name, part);
    else if (typeof part === 'object' && part !== null)
      for (const [method, call] of methodsOf(part)) found.set(`${name}.${method}`, call);
  }
  return found;
}

/** The methods of a guarded Consul that reject with ERR_LEASE_LOST, and those that reached Consul. */
async function callAll(): Promise<{
  readonly refused: readonly string[];
  readonly passed: readonly string[];
}> {
  const { consul } = await against((exchange) => exchange.reply(200, []));
  const passed: string[] = [];
  const noting = (part: object, prefix = ''): object =>
    Object.fromEntries(
      Object.entries(part).map(([name, value]) => {
        if (typeof value === 'function') return [name, async () => passed.push(prefix + name)];
        return [name, typeof value === 'object' && value !== null ? noting(value, `${name}.`) : value];
      }),
    );
  const guarded = guardConsul(
    { ...consul, ...noting(consul) },
    { confirm: () => Promise.reject(leaseLost()) },
  );
  const refused: string[] = [];
  for (const [name, call] of methodsOf(guarded))
    await Promise.resolve(call()).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'ERR_LEASE_LOST' });
      refused.push(name);
    });
  return { refused: refused.sort(), passed: passed.sort() };
}

it('refuses every write once the lease is lost, and passes on the reads and what the lease itself needs', async () => {
  const { refused, passed } = await callAll();
  expect(refused).toEqual(WRITES);
  expect(passed.filter((name) => !name.startsWith('reachability.'))).toEqual(OTHERS);
});

it('sends none of them in the turn in which nothing proves the lease', async () => {
  const policy = { name: 'scopemesh-a', description: '', rules: '' };
  const found = { ID: 'id', Name: policy.name, Description: '', Rules: '' };
  const listed = [{ Kind: 'jwt-provider', Name: 'main', CreateIndex: 7, ModifyIndex: 7 }];
  const { consul, seen } = await against(
    ({ target, reply }) => reply(200, target.startsWith('/v1/acl/') ? found : listed),
    { mayWrite: () => false },
  );
  const { acl, claims, intentions, jwtProviders, logNote, quarantines } = consul;
  const orders = { partition: 'default', namespace: 'default', name: 'orders' };
  const provider = { name: 'main', issuer: 'https://a.example', audiences: [], jwksUri: '', meta: {} };
  const calls = {
    'acl.delete': () => acl.delete('acl-policy', 'id', never),
    'acl.deleteTokens': () => acl.deleteTokens(['id'], never),
    'acl.write': () => acl.write('id', { kind: 'acl-policy', object: policy }, never),
    'claims.write': () =>
      claims.write(
        [{ do: 'create', record: { provider: 'main', clientId: 'web-app', service: orders } }],
        never,
      ),
    'intentions.delete': () => intentions.delete(orders, 7, never),
    'intentions.write': () => intentions.write(orders, undefined, [], 7, never),
    'jwtProviders.delete': () => jwtProviders.delete('main', 7, never),
    'jwtProviders.write': () => jwtProviders.write(provider, 7, never),
    'logNote.write': () => logNote.write('a', never),
    'quarantines.write': () =>
      quarantines.write([{ do: 'delete', record: { provider: 'main', clientId: 'web-app' } }], never),
  };
  expect(Object.keys(calls)).toEqual(WRITES);
  for (const call of Object.values(calls))
    expect(await failureOf(call())).toMatchObject({ code: 'ERR_TIMEOUT', retriable: true });
  expect(seen.filter((each) => !each.startsWith('GET '))).toEqual([]);
});
