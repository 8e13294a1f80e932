import { describe, expect, it } from 'vitest';
import {
  causeOf,
  causeOfChange,
  causesOf,
  draftOf,
  grantReasonOf,
  holdDecision,
  settledOf,
  viewOf,
} from '../../src/apply/decision-drafts.js';
import type { Cause, CauseKind } from '../../src/model/cause.js';
import { clientKey, destinationKey } from '../../src/model/key.js';
import { plainDecision } from '../../src/model/plain-decision.js';
import type { Job, Trigger } from '../../src/model/trigger.js';
import { holdKey } from '../../src/plan/holds.js';
import type { Hold, PlannedClient } from '../../src/plan/plan.js';
import { ALLOW, DENY, NOW } from '../plan/scene.js';
import { applyRig, CAUSE, change, loss } from './apply-rig.js';

const WEB: PlannedClient = { provider: 'main', clientId: 'web', actorKind: 'workload' };
const { stamp } = applyRig();
const ALICE = { id: 'alice' };
const BOB = { id: 'bob' };

const causedBy = (kind: CauseKind, at = 0, more: Partial<Cause> = {}): Cause => ({
  kind,
  receivedAt: new Date(NOW + at).toISOString(),
  ...more,
});
const ORDERS = destinationKey('orders');
const jobOf = (...triggers: readonly Partial<Trigger>[]): Job => ({
  key: ORDERS,
  triggers: triggers.map((each) => ({ key: ORDERS, cause: causedBy('resync'), ...each })),
  attempts: 0,
});

describe('the draft of a change', () => {
  it('has everything that its decision will say, and what recovery needs', () => {
    const draft = draftOf(change('web', ALLOW, { client: WEB }), CAUSE, 7, stamp);
    expect(draft).toEqual({
      id: draft.id,
      type: 'dev.scopemesh.intention.created',
      subject: 'intention/default/default/orders/web',
      source: 'scopemesh/pay/test',
      action: 'grant',
      reason: 'ScopeGranted',
      resource: change('web').resource,
      client: WEB,
      scopes: ['orders:read'],
      cause: CAUSE,
      before: null,
      after: { access: 'allow' },
      mappingRevision: 'sha256:test',
      expectedIndex: 7,
      recordedAt: new Date(NOW).toISOString(),
      opensBy: ['orders:read'],
    });
  });

  it('names who approved it, and otherwise who caused it', () => {
    const cause = { ...CAUSE, principal: ALICE };
    expect(draftOf(loss('web'), CAUSE, 7, stamp)).not.toHaveProperty('principal');
    expect(draftOf(loss('web'), cause, 7, stamp).principal).toEqual(ALICE);
    expect(draftOf(loss('web', { approvedBy: BOB }), cause, 7, stamp).principal).toEqual(BOB);
  });
});

describe('the draft of a change by a break-glass grant', () => {
  it('names who asked for it, and says why', () => {
    const breakGlass = { does: 'open', detail: 'incident 7', by: BOB, passesFreeze: false } as const;
    const cause = { ...CAUSE, principal: ALICE };
    expect(draftOf(change('web', ALLOW, { breakGlass }), cause, 7, stamp)).toMatchObject({
      detail: 'incident 7',
      principal: BOB,
    });
  });
});

describe('the decision of a settled draft', () => {
  const draft = draftOf(change('web'), CAUSE, 7, stamp);
  const settle = (more: Partial<Parameters<typeof settledOf>[1]>) =>
    settledOf(draft, { outcome: 'applied', time: 't', nowMs: NOW, ...more });

  it('adds the outcome, the time, the index and how long the event waited, and nothing that is not known', () => {
    const { expectedIndex: _, recordedAt: __, opensBy: ___, ...rest } = draft;
    expect(settle({})).toEqual({ ...rest, outcome: 'applied', time: 't', latencyMs: 1_500 });
    expect(settle({ modifyIndex: 9, detail: 'why' })).toMatchObject({
      consul: { modifyIndex: 9 },
      detail: 'why',
    });
  });

  it.each([
    ['applied', 'created'],
    ['failed', 'failed'],
    ['unknown', 'failed'],
  ] as const)('that is %s is of the type %s', (outcome, verb) => {
    expect(settle({ outcome }).type).toBe(`dev.scopemesh.intention.${verb}`);
  });

  it('says what goes on after a revocation only if it was made', () => {
    const residual = { nextRequests: true } as const;
    const of = (outcome: 'applied' | 'failed' | 'unknown') =>
      settledOf({ ...draft, residual }, { outcome, time: 't', nowMs: NOW }).residual;
    expect([of('applied'), of('failed'), of('unknown')]).toEqual([residual, undefined, undefined]);
  });

  it('never says that an event waited for less than no time', () => {
    expect(settle({ nowMs: NOW - 3_600_000 }).latencyMs).toBe(0);
  });
});

describe('the decision of a hold', () => {
  const hold: Hold = {
    subject: 'intention/default/default/orders/web',
    resource: change('web').resource,
    reason: 'RevocationLimit',
    detail: 'too many',
    action: 'revoke',
    scopes: ['orders:read'],
    before: ALLOW,
    after: undefined,
  };

  it.each([
    ['held', 'held', 'RevocationLimit'],
    ['planned', 'observed', 'RevocationLimit'],
    ['released', 'observed', 'HoldEnded'],
  ] as const)('that is %s has the outcome %s and the reason %s', (verb, outcome, reason) => {
    const decision = holdDecision(hold, verb, CAUSE, stamp);
    expect(decision).toEqual({
      id: decision.id,
      type: `dev.scopemesh.intention.${verb}`,
      subject: hold.subject,
      source: 'scopemesh/pay/test',
      action: 'revoke',
      outcome,
      reason,
      resource: hold.resource,
      scopes: ['orders:read'],
      cause: CAUSE,
      before: { access: 'allow' },
      after: null,
      detail: 'too many',
      mappingRevision: 'sha256:test',
      time: stamp.time,
    });
  });

  it('names the client, the person and who caused it, where they are known', () => {
    const person = { provider: 'main', subject: 'ann', actorKind: 'human' } as const;
    const cause = { ...CAUSE, principal: ALICE };
    expect(holdDecision({ ...hold, client: WEB, person }, 'held', cause, stamp)).toMatchObject({
      client: WEB,
      person,
      principal: ALICE,
    });
  });

  it('says why the change would be made, where only the mode forbids it', () => {
    const forbidden = { ...hold, reason: 'ModeForbids', changeReason: 'ScopeRevoked' } as const;
    expect(holdDecision(forbidden, 'held', CAUSE, stamp).changeReason).toBe('ScopeRevoked');
  });

  it('is recorded once for each subject and reason', () => {
    expect(holdKey(hold)).toBe('intention/default/default/orders/web RevocationLimit');
  });
});

describe('the decision about something that is no edge', () => {
  const facts = {
    resource: { kind: 'event', name: 'main' },
    verb: 'rejected',
    subject: 'event/main',
    outcome: 'refused',
    reason: 'EventInvalid',
    cause: CAUSE,
  } as const;

  it('says no more than is known', () => {
    const decision = plainDecision(facts, stamp);
    const { verb: _, ...said } = facts;
    expect(decision).toEqual({
      ...said,
      id: decision.id,
      type: 'dev.scopemesh.event.rejected',
      source: 'scopemesh/pay/test',
      action: 'none',
      mappingRevision: 'sha256:test',
      time: stamp.time,
    });
  });

  it('says all that is known', () => {
    const more = { action: 'change', detail: 'why', before: 1, after: 2 } as const;
    const cause = { ...CAUSE, principal: ALICE };
    expect(plainDecision({ ...facts, ...more, cause }, stamp)).toMatchObject({ ...more, principal: ALICE });
  });
});

describe('an access, as decisions show it', () => {
  it.each([
    ['none', undefined, null],
    ['everything', ALLOW, { access: 'allow' }],
    ['a denial', DENY, { access: 'deny' }],
    ['what scopemesh does not write', { kind: 'other' } as const, { access: 'other' }],
  ])('of %s', (_, access, view) => {
    expect(viewOf(access)).toEqual(view);
  });

  it('is the same text for equal permissions, in whatever order', () => {
    const [get, post] = [
      { methods: ['GET'], pathPrefix: '/a' },
      { methods: ['POST'], pathPrefix: '/b' },
    ];
    const texts = [
      [get, post],
      [post, get],
    ].map((permissions) => JSON.stringify(viewOf({ kind: 'http', permissions })));
    expect(texts[0]).toBe(texts[1]);
    expect(JSON.parse(texts[0] ?? '')).toEqual({ access: 'http', permissions: [get, post] });
  });
});

describe('the cause of a job', () => {
  it('prefers an order to an event, an event to a person, a person to a finding', () => {
    const kinds: readonly CauseKind[] = ['resync', 'command', 'config', 'poll', 'webhook', 'order'];
    const triggers = kinds.map((kind, at) => ({ cause: causedBy(kind, at) }));
    const ranked: CauseKind[] = [];
    while (triggers.length > 0) {
      const { kind } = causeOf(jobOf(...triggers.toReversed()));
      ranked.push(kind);
      triggers.splice(
        triggers.findIndex(({ cause }) => cause.kind === kind),
        1,
      );
    }
    // Of equals the one that came first.
    expect(ranked).toEqual(['order', 'poll', 'webhook', 'command', 'config', 'resync']);
  });

  it('is the first of equal ones, in whatever order they are listed', () => {
    const events = [0, 1, 2].map((at) => ({ cause: causedBy('webhook', at) }));
    for (const order of [events, events.toReversed()])
      expect(causeOf(jobOf(...order))).toEqual(causedBy('webhook', 0));
  });

  it('is a retry, where nothing is left to say', () => {
    expect(causeOf(jobOf())).toEqual({ kind: 'retry', receivedAt: '1970-01-01T00:00:00.000Z' });
  });

  it('is each client’s own, where a trigger names the client, and the job’s for every other', () => {
    const [own, whole] = [
      causedBy('poll', 5, { eventId: 'web' }),
      causedBy('webhook', 0, { eventId: 'all' }),
    ];
    const noticed = causedBy('resync', -5);
    const client = { provider: 'main', clientId: 'web' };
    const of = causesOf(jobOf({ cause: noticed, client }, { cause: own, client }, { cause: whole }));
    expect(of(WEB)).toEqual(own);
    expect(of({ ...WEB, clientId: 'api' })).toEqual(whole);
    expect(of({ ...WEB, provider: 'other' })).toEqual(whole);
    expect(of(undefined)).toEqual(whole);
  });
});

describe('the cause of a change', () => {
  const event = causedBy('webhook', 0, { eventId: 'e', principal: ALICE });

  it('is never the identity provider’s event or the person behind it, where Consul was changed', () => {
    const at = { kind: 'consul-watch', receivedAt: stamp.time };
    for (const kind of ['order', 'webhook', 'poll'] as const)
      expect(causeOfChange({ reason: 'DriftCorrected' }, { ...event, kind }, stamp)).toEqual(at);
    for (const kind of ['resync', 'command', 'takeover'] as const)
      expect(causeOfChange({ reason: 'DriftCorrected' }, causedBy(kind), stamp)).toEqual(causedBy(kind));
    const drift = draftOf({ ...change('web'), reason: 'DriftCorrected' }, event, 7, stamp);
    expect(drift).toMatchObject({ cause: at });
    expect(drift).not.toHaveProperty('principal');
  });

  it('is the job’s for every other reason', () => {
    expect(causeOfChange({ reason: 'ScopeRevoked' }, event, stamp)).toBe(event);
  });
});

describe('an edge that opens', () => {
  it.each<readonly [readonly CauseKind[], string]>([
    [['webhook', 'config', 'consul-watch'], 'ScopeGranted'],
    [['poll', 'config'], 'ScopeGranted'],
    [['full-read', 'config'], 'ScopeGranted'],
    [['order', 'config'], 'ScopeGranted'],
    [['config', 'consul-watch'], 'MappingChanged'],
    [['consul-watch', 'resync'], 'ClaimAdded'],
    [['resync'], 'ScopeGranted'],
  ])('by %s is called %s', (kinds, reason) => {
    const triggers = kinds.map((kind) => ({ key: clientKey('main', 'web'), cause: causedBy(kind) }));
    expect(grantReasonOf(jobOf(...triggers))).toBe(reason);
  });
});
