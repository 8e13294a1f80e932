import { createHash } from 'node:crypto';
import type { ConsulHandle } from '../stack/consul.js';

/** The mark that owned sources carry in their Description. */
export const MARK = 'scopemesh:demo';

/** Puts into Consul what others might have there, in every place that scopemesh comes near. */
export async function seedForeign(consul: ConsulHandle): Promise<void> {
  const put = (entry: object) => consul.request('PUT', '/v1/config', entry);
  await put({
    Kind: 'service-intentions',
    Name: 'orders',
    Meta: { team: 'orders', 'a key': 'ä value with "quotes"' },
    Sources: [
      {
        Name: 'nightly-batch',
        Description: 'by hand, ticket 4711; not scopemesh:demo',
        Permissions: [
          {
            Action: 'deny',
            HTTP: {
              PathExact: '/v1/orders/secret',
              Header: [{ Name: 'x-debug', Present: true, Invert: true }],
            },
          },
          { Action: 'allow', HTTP: { PathRegex: '/v[0-9]+/orders/.*', Methods: ['GET', 'PUT'] } },
        ],
      },
      { Name: 'auditor', Action: 'allow', Description: 'scopemesh:demo2 is another instance' },
    ],
  });
  await put({
    Kind: 'service-intentions',
    Name: 'ledger',
    Sources: [
      { Name: 'web', Action: 'allow', Description: 'made by hand' },
      { Name: 'orders', Action: 'deny' },
    ],
  });
  await put({
    Kind: 'service-intentions',
    Name: 'cluster-made',
    Meta: { 'external-source': 'kubernetes' },
    Sources: [
      { Name: 'web', Action: 'allow', Description: `${MARK} looks like ours but is managed elsewhere` },
    ],
  });
  await put({ Kind: 'service-defaults', Name: 'ledger', Protocol: 'grpc', Meta: { by: 'hand' } });
  await consul.request('PUT', '/v1/kv/teams/orders/settings', { foreign: true });
  await consul.request('PUT', '/v1/acl/policy', {
    Name: 'foreign-policy',
    Rules: 'key_prefix "teams/" { policy = "read" }',
  });
  await consul.request('PUT', '/v1/acl/role', {
    Name: 'foreign-role',
    Policies: [{ Name: 'foreign-policy' }],
  });
}

/**
 * A digest of every piece of Consul that is not scopemesh's, by its name: whole entries that hold no owned source
 * with their indexes; of the others each foreign source and every other field; all other config entries; KV; ACLs.
 */
export async function digestForeign(consul: ConsulHandle): Promise<Readonly<Record<string, string>>> {
  const digests = new Map<string, string>();
  const add = (name: string, value: unknown) =>
    digests.set(name, createHash('sha256').update(JSON.stringify(value)).digest('hex'));
  const list = async (path: string) => listOf(await consul.request('GET', path));

  for (const entry of await list('/v1/config/service-intentions?consistent')) {
    const { Sources, ...fields } = entry;
    const name = `intentions of ${entry.Name}`;
    const sources = listOf(Sources);
    const foreign = sources.filter((source) => !isMarked(source) || isManaged(entry));
    if (foreign.length === sources.length && !SHARED.has(String(entry.Name))) {
      add(name, entry);
      continue;
    }
    // An entry of ours alone comes and goes.
    if (foreign.length === 0) continue;
    const { ModifyIndex: _, ...kept } = fields;
    add(`${name}, but for sources`, kept);
    for (const source of foreign) add(`${name} from ${source.Name}`, source);
  }
  for (const kind of ['service-defaults', 'proxy-defaults', 'service-router', 'service-resolver', 'mesh']) {
    for (const entry of await list(`/v1/config/${kind}?consistent`)) add(`${kind} ${entry.Name}`, entry);
  }
  for (const pair of await list('/v1/kv/?recurse&consistent')) {
    if (!String(pair.Key).startsWith('scopemesh/')) add(`kv ${pair.Key}`, pair);
  }
  for (const kind of ['policies', 'roles', 'binding-rules', 'auth-methods']) {
    for (const each of await list(`/v1/acl/${kind}`))
      if (!isMarked(each)) add(`${kind} ${each.Name ?? each.ID}`, each);
  }
  return Object.fromEntries([...digests].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The entry that holds foreign sources beside ours: its index moves with ours. */
const SHARED: ReadonlySet<string> = new Set(['orders', 'd-0']);

function isMarked(source: Readonly<Record<string, unknown>>): boolean {
  return /^scopemesh:demo( |$)/.test(String(source.Description ?? ''));
}

function isManaged(entry: Readonly<Record<string, unknown>>): boolean {
  return JSON.stringify(entry.Meta ?? {}).includes('external-source');
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error('Consul answered with no list');
  return value.map((each: unknown) => Object.fromEntries(Object.entries(Object(each))));
}
