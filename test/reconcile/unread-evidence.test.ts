import { describe, expect, it } from 'vitest';
import type { Job, Trigger } from '../../src/model/trigger.js';
import { reconcileDestination } from '../../src/reconcile/destination.js';
import { jobResult } from '../../src/reconcile/unread-evidence.js';
import { WorldState } from '../../src/state/world-state.js';
import { ALLOW, claiming, client, entry, mapping, NOW, ourSource, rule, SETTINGS } from '../plan/scene.js';
import { depsOf } from './deps.js';

const KEY = { kind: 'destination', partition: 'default', namespace: 'default', service: 'orders' } as const;
const ENTRY = entry('orders', ourSource('web', ALLOW));

/** `web` has an edge of ours to `orders`; no directory has been read yet. */
function scene(receivedMsAgo = 0) {
  const world = new WorldState(mapping({ rules: [rule('orders', 'orders')] }), SETTINGS);
  world.putEntries([ENTRY], NOW);
  world.putCatalog(
    { services: [claiming('web', 'web')], protocols: new Map(), defaultProtocol: 'http' },
    NOW,
  );
  const { deps } = depsOf(world, {});
  const written: string[] = [];
  const receivedAt = new Date(NOW - receivedMsAgo).toISOString();
  const hint: Trigger = {
    key: KEY,
    cause: { kind: 'webhook', receivedAt },
    evidence: [{ provider: 'main', clients: ['web'] }],
  };
  const record = { pending: [], lastApplied: new Map(), holds: new Map() };
  const run = (triggers: readonly Trigger[]) => {
    const job: Job = { key: KEY, triggers, attempts: 0 };
    return reconcileDestination(
      KEY,
      job,
      {
        ...deps,
        journal: {
          ...deps.journal,
          read: async () => record,
          record: async () => {},
          settle: async (_, decisions) => void written.push(...decisions.map(({ reason }) => reason)),
        },
        consul: {
          ...deps.consul,
          intentions: {
            ...deps.consul.intentions,
            read: async ({ name }) => (name === 'orders' ? ENTRY : undefined),
            delete: async () => ({ kind: 'written', modifyIndex: 0 }),
          },
        },
      },
      new AbortController().signal,
    );
  };
  return { world, deps, hint, written, run };
}

describe('evidence of the identity provider about a client', () => {
  it('waits for the first complete read of its directory, and is not used up before', async () => {
    const { world, hint, written, run } = scene();
    expect(await run([hint])).toEqual({ kind: 'retry', afterMs: 500 });
    expect(written).toEqual([]);
    world.putDirectory('main', [client('web', [])], world.beginRead(), NOW);
    expect(await run([hint])).toEqual({ kind: 'done' });
    expect(written).toEqual(['ScopeRevoked']);
  });

  it('is looked at less often the longer this process cannot read the directory', () => {
    const { deps, hint } = scene(3_600_000);
    let now = NOW;
    const look = () =>
      jobResult(
        { key: KEY, triggers: [hint], attempts: 0 },
        { ...deps, clock: { ...deps.clock, now: () => now } },
      );
    // The event is an hour old, and nobody was there: the first read is under way.
    expect(look()).toEqual({ kind: 'retry', afterMs: 500 });
    now += 8_000;
    expect(look()).toEqual({ kind: 'retry', afterMs: 4_000 });
    now += 3_600_000;
    expect(look()).toEqual({ kind: 'retry', afterMs: 10_000 });
  });

  it('does not delay the job if its provider is not configured, or if there is none', async () => {
    const { hint, run } = scene();
    expect(await run([{ ...hint, evidence: [{ provider: 'gone', clients: ['web'] }] }])).toEqual({
      kind: 'done',
    });
    expect(await run([{ key: hint.key, cause: hint.cause }])).toEqual({ kind: 'done' });
  });
});
