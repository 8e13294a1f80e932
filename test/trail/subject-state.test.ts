import { describe, expect, it } from 'vitest';
import type { Decision } from '../../src/model/decision.js';
import { cite, isPossiblyOpen, toEdge } from '../../src/trail/edge.js';
import { toSubjectState } from '../../src/trail/subject-state.js';
import { decision } from '../support/decisions.js';

const READ = { access: 'http', permissions: [{ methods: ['GET'] }] };
const BOTH = { access: 'http', permissions: [{ methods: ['GET', 'POST'] }] };
const scopes = ['orders:read', 'orders:write'];

const opened = decision({ action: 'grant', before: null, after: BOTH, scopes });
const narrowed = decision({ before: BOTH, after: READ, scopes: ['orders:write'] });
const closed = decision({ before: READ, after: null, scopes: ['orders:read'] });
const lost = decision({ outcome: 'unknown', before: null, after: READ });
const held = decision({ outcome: 'held', reason: 'RevocationLimit', before: READ, after: null });
const released = decision({
  type: 'dev.scopemesh.intention.released',
  outcome: 'observed',
  reason: 'HoldEnded',
  before: undefined,
  after: undefined,
});

/** Of decisions in their order, and the first one after the instant. */
const edge = (order: readonly Decision[], next?: Decision) => {
  const state = toSubjectState(order.toReversed(), next);
  return state && toEdge(state);
};

describe('an edge in the trail', () => {
  it('has the scopes that are left, and is as old as its opening', () => {
    expect(edge([opened, narrowed])).toMatchObject({
      access: { kind: 'http', permissions: [{ methods: ['GET'] }] },
      scopes: ['orders:read'],
      since: cite(opened),
      decision: cite(narrowed),
      certainty: 'applied',
    });
  });

  it('is closed after its end, and as old as its next opening', () => {
    expect(edge([opened, narrowed, closed])).toMatchObject({ access: undefined, scopes: [] });
    const again = decision({ before: null, after: READ });
    expect(edge([opened, closed, again])?.since).toEqual(cite(again));
  });

  it('is closed once scopemesh saw that somebody else had removed it', () => {
    const gone = decision({
      outcome: 'observed',
      reason: 'RemovedElsewhere',
      before: { access: 'other' },
      after: null,
    });
    expect(edge([opened, gone])).toMatchObject({ access: undefined, decision: cite(gone), scopes: [] });
    expect(edge([lost, gone])).toMatchObject({ certainty: 'applied', access: undefined });
    const earlier = edge([], gone);
    expect(earlier && isPossiblyOpen(earlier)).toBe(true);
  });

  it('is possibly open after a write whose outcome is unknown, until a later write', () => {
    const possibly = edge([lost]);
    expect(possibly).toMatchObject({ certainty: 'unknown', access: undefined, possible: { kind: 'http' } });
    expect(possibly && isPossiblyOpen(possibly)).toBe(true);
    expect(edge([lost, closed])).toMatchObject({ certainty: 'applied', access: undefined });
  });

  it('is unchanged by what is held, failed or observed, and names the hold until it ends', () => {
    const failed = decision({ outcome: 'failed', before: BOTH, after: null });
    expect(edge([opened, held, failed])).toMatchObject({ access: { kind: 'http' }, held: cite(held) });
    expect(edge([opened, held, released])?.held).toBeUndefined();
  });

  it('was what a later decision found, if none is older', () => {
    expect(edge([], narrowed)).toMatchObject({ certainty: 'before', access: { kind: 'http' } });
    expect(edge([], opened)).toBeUndefined();
    expect(edge([held])).toMatchObject({ certainty: 'before', access: { kind: 'http' } });
  });

  it.each([
    'ForeignSource',
    'ForeignObject',
    'LegacyEntry',
    'ManagedElsewhere',
    'MarkLost',
    'MarkUnrecorded',
  ] as const)(
    'is not what others wrote that a hold for %s is about, and nothing after the hold',
    (reason) => {
      const foreign = decision({ outcome: 'held', reason, before: READ, after: BOTH });
      const shown = edge([foreign]);
      expect(shown).toMatchObject({ access: undefined, held: cite(foreign) });
      expect(shown && isPossiblyOpen(shown)).toBe(false);
      expect(edge([foreign, released])).toBeUndefined();
    },
  );

  it('stays open after a hold of its own removal ended', () => {
    expect(edge([held, released])).toMatchObject({ certainty: 'before', access: { kind: 'http' } });
    expect(edge([held, released])?.held).toBeUndefined();
  });

  it('has no scopes if only a loss is known', () => {
    expect(edge([narrowed])?.scopes).toEqual([]);
  });

  it('counts as open if its content cannot be read', () => {
    const strange = edge([decision({ before: null, after: { access: 'later' } })]);
    expect(strange && isPossiblyOpen(strange)).toBe(true);
  });

  it('is the same if a topic delivers a decision twice', () => {
    expect(edge([opened, narrowed, narrowed])).toEqual(edge([opened, narrowed]));
  });
});

it('a policy is neither the client’s nor the person’s whose job wrote it, because others may share it', () => {
  const made = decision({
    type: 'dev.scopemesh.acl-policy.created',
    resource: { kind: 'acl-policy', name: 'rules' },
    before: null,
    after: { name: 'rules' },
    client: { provider: 'main', clientId: 'web-app', actorKind: 'workload' },
  });
  expect(toSubjectState([made])).toMatchObject({ client: undefined, person: undefined, since: made });
});
