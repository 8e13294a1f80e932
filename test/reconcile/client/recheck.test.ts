import { describe, expect, test } from 'vitest';
import type { OAuthClient } from '../../../src/model/client.js';
import { clientKey } from '../../../src/model/key.js';
import type { ReadProof, Trigger } from '../../../src/model/trigger.js';
import { reconcileClient } from '../../../src/reconcile/client.js';
import { client, NOW } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../deps.js';

const KEY = { kind: 'client', provider: 'main', by: 'clientId', value: 'web' } as const;

/** What the job of `web` queues where its directory says this of it. */
async function looksAgain(found: OAuthClient, ...triggers: readonly Partial<Trigger>[]) {
  const world = worldWithTwo();
  const key = clientKey('main', 'web');
  const cause = {
    kind: 'webhook',
    eventId: 'e1',
    receivedAt: new Date(NOW - 30_000).toISOString(),
  } as const;
  const asked: (ReadProof | undefined)[] = [];
  const { deps, added, noted } = depsOf(world, {
    read: async (_by, _value, _signal, proof) => {
      asked.push(proof);
      return found;
    },
  });
  const all = triggers.map((each) => ({ key, cause, isRecheck: true, ...each }));
  const record = { pending: [], holds: new Map(), lastApplied: new Map() };
  const journal = { ...deps.journal, read: async () => record };
  const result = await reconcileClient(
    KEY,
    { key, triggers: all, attempts: 0 },
    { ...deps, journal },
    AbortSignal.timeout(5_000),
  ).catch((error: unknown) => error);
  return { added: added.filter((trigger) => trigger.key.kind === 'destination'), asked, result, noted };
}
const same = client('web', ['orders']);

describe('a client that is looked at again', () => {
  test('and found as it was is left at that', async () => {
    const { added, asked, result, noted } = await looksAgain(same, {}, { urgent: true });
    expect(result).toEqual({ kind: 'done' });
    expect(asked).toEqual([undefined]);
    expect(added).toEqual([]);
    // Otherwise the next decision there, with any cause, would name this event.
    expect(noted).toEqual([]);
  });

  test('and found with less is planned at once, with the cause of the event', async () => {
    const { added } = await looksAgain(client('web', []), {});
    expect(added[0]).toMatchObject({
      key: { service: 'orders' },
      urgent: true,
      cause: { kind: 'webhook', eventId: 'e1' },
    });
  });

  test('and found as it was is not the cause of what else brought the job', async () => {
    const seen = { kind: 'consul-watch', receivedAt: new Date(NOW).toISOString() } as const;
    const { added } = await looksAgain(same, {}, { cause: seen, isRecheck: false });
    expect(added.map(({ cause }) => cause)).toEqual([seen]);
  });

  test('is planned although it is as it was where a removal is known, which the mass guard may hold', async () => {
    const evidence = [{ provider: 'main', clients: ['web'] }];
    const { added } = await looksAgain(same, { evidence, urgent: true });
    expect(added[0]).toMatchObject({ key: { service: 'orders' }, evidence });
    expect(added[0]).not.toHaveProperty('urgent');
  });

  test('together with a new event counts as the event', async () => {
    const { added } = await looksAgain(same, {}, { isRecheck: false, urgent: true });
    expect(added[0]).toMatchObject({ key: { service: 'orders' }, urgent: true });
  });
});
