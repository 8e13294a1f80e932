import { describe, expect, it } from 'vitest';
import { CAUSE_KINDS, type CauseKind } from '../../src/model/cause.js';
import { clientKey } from '../../src/model/key.js';
import type { RevocationOrder } from '../../src/model/order.js';
import type { Job, Trigger } from '../../src/model/trigger.js';
import {
  hasOrder,
  needsRead,
  ordersToClose,
  unendedRechecks,
  withoutSettledRechecks,
} from '../../src/plan/client-job.js';
import { destinationsOf, losingNames } from '../../src/plan/destinations-of-plan.js';
import { withClientId } from '../../src/plan/evidence.js';
import { intentionResource } from '../../src/plan/plan.js';
import { toProviderEvidence } from '../../src/plan/provider-evidence.js';
import { client, entriesOf, entry, named, ourSource, planOf, scene } from './scene.js';

const key = clientKey('main', 'web');
const RECEIVED = '2026-01-01T00:00:00.000Z';
const trigger = (changes: Partial<Trigger> = {}, kind: CauseKind = 'webhook'): Trigger => ({
  key,
  cause: { kind, receivedAt: RECEIVED },
  ...changes,
});
const job = (...triggers: readonly Trigger[]): Job => ({ key, triggers, attempts: 0 });
const ordering = (kind: RevocationOrder['kind']) =>
  job(trigger(), trigger({ order: { kind, provider: 'main', at: RECEIVED, cause: trigger().cause } }));

describe('the job of a client', () => {
  it('reads the client unless every cause lies outside the identity provider or was a complete read', () => {
    const known = ['consul-watch', 'resync', 'config', 'full-read'];
    for (const kind of CAUSE_KINDS)
      expect([kind, needsRead(job(trigger({}, kind)))]).toEqual([kind, !known.includes(kind)]);
    expect(needsRead(job(trigger({}, 'resync'), trigger()))).toBe(true);
    expect(needsRead(job())).toBe(false);
  });

  it('closes an unread client by the order of a disabled or deleted client, and by no other', () => {
    const kinds = ['client-disabled', 'client-deleted', 'secret-compromised', 'session-revoked'] as const;
    expect(kinds.filter((kind) => ordersToClose(ordering(kind)))).toEqual([
      'client-disabled',
      'client-deleted',
    ]);
    expect(ordersToClose(job(trigger()))).toBe(false);
  });

  it('has an order for the client by every order but the end of a session', () => {
    const kinds = ['client-disabled', 'client-deleted', 'secret-compromised', 'session-revoked'] as const;
    expect(kinds.filter((kind) => hasOrder(ordering(kind)))).toEqual(kinds.slice(0, 3));
    expect(hasOrder(job(trigger()))).toBe(false);
  });

  it('loses a recheck that found no change, but none with evidence and nothing else', () => {
    const web = client('web', []);
    const recheck = trigger({ isRecheck: true });
    const telling = trigger({ isRecheck: true, evidence: [{ provider: 'main', clients: ['web'] }] });
    const empty = trigger({ isRecheck: true, evidence: [] });
    const all = job(trigger(), recheck, telling, empty);
    expect(withoutSettledRechecks(all, web, web)).toEqual(job(trigger(), telling));
    for (const [known, now] of [
      [web, { ...web }],
      [undefined, undefined],
      [web, undefined],
      [undefined, web],
    ] as const)
      expect(withoutSettledRechecks(all, known, now)).toBe(all);
  });
});

it('the rechecks of a job that did not end come again as what always counts, and are not urgent', () => {
  const evidence = [{ provider: 'main', clients: ['web'] }];
  const rechecks = [trigger({ isRecheck: true, urgent: true }), trigger({ isRecheck: true, evidence })];
  expect(unendedRechecks(job(trigger({ urgent: true }), ...rechecks))).toEqual([
    trigger(),
    trigger({ evidence }),
  ]);
});

describe('evidence by the internal ID of a client', () => {
  const web = client('web', [], { internalId: 'i-1' });
  const id = { provider: 'main', clientId: 'web' };

  it('names the client that has this ID at this provider', () => {
    const evidence = [{ provider: 'main', internalIds: ['i-0', 'i-1'], clients: ['web', 'job'] }];
    expect(withClientId(evidence, id, web)).toEqual([{ ...evidence[0], clients: ['web', 'job'] }]);
    expect(withClientId([{ provider: 'main', internalIds: ['i-1'] }], id, web)).toEqual([
      { provider: 'main', internalIds: ['i-1'], clients: ['web'] },
    ]);
  });

  it.each([
    ['another ID', { provider: 'main', internalIds: ['i-2'] }, web],
    ['another provider', { provider: 'other', internalIds: ['i-1'] }, web],
    ['no ID', { provider: 'main' }, web],
    ['a client without an internal ID', { provider: 'main', internalIds: ['i-1'] }, client('web', [])],
    ['an unknown client', { provider: 'main', internalIds: ['i-1'] }, undefined],
  ])('names nobody with %s', (_, evidence, known) => {
    expect(withClientId([evidence], id, known)).toEqual([evidence]);
  });
});

describe('the evidence of a provider', () => {
  const scoped = { provider: 'main', scopes: ['read'], clients: ['job'] };
  const found = toProviderEvidence(
    'main',
    [scoped, { provider: 'main', internalIds: ['i-1'] }, { provider: 'main', scopes: [] }],
    [client('web', [], { internalId: 'i-1' }), client('bot', [], { internalId: 'i-2' }), client('none', [])],
  );

  it('about a scope is for every client, and about a client for that one', () => {
    expect(found.forEveryClient).toEqual([scoped]);
    expect([...found.clientIds]).toEqual(['job', 'web']);
    expect(found.forClient('web')).toEqual([scoped, { provider: 'main', clients: ['web'] }]);
    expect(found.forClient('bot')).toEqual([scoped]);
  });

  it('about no ID is about no client without one', () => {
    expect([...toProviderEvidence('main', [], [client('none', [])]).clientIds]).toEqual([]);
  });
});

describe('the destinations of a plan', () => {
  const revoked = planOf(
    scene({
      clients: [client('web', [])],
      entries: entriesOf(entry('orders', ourSource('web', { kind: 'allow' }))),
    }),
  ).changes;
  const granted = planOf(scene()).changes;
  const at = (destination: string, changes: object = {}) => ({
    ...intentionResource(named(destination), 'web'),
    ...changes,
  });
  const moved = (changes: typeof granted, destination: string) =>
    changes.map((change) => ({ ...change, resource: at(destination) }));

  it('are each there once, those that lose access first', () => {
    const changes = [...moved(granted, 'a'), ...moved(revoked, 'b'), ...moved(granted, 'b')];
    const hold = { subject: '', reason: 'Frozen', detail: '', action: 'grant', scopes: [] } as const;
    const holds = [
      { ...hold, resource: at('c', { namespace: undefined, partition: undefined }) },
      { ...hold, resource: { kind: 'acl-role' as const, name: 'x', destination: 'd' } },
      { ...hold, resource: { kind: 'intention' as const } },
    ];
    expect(destinationsOf({ changes, holds } as never)).toEqual(
      ['b', 'a', 'c'].map((service) => ({
        kind: 'destination',
        partition: 'default',
        namespace: 'default',
        service,
      })),
    );
  });

  it('lose access where a change narrows', () => {
    expect([...losingNames({ changes: [...moved(granted, 'a'), ...moved(revoked, 'b')] })]).toEqual(['b']);
  });
});
