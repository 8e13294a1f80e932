import { describe, expect, it } from 'vitest';
import type { Decision } from '../../../src/model/decision.js';
import type { Access, IntentionEntry } from '../../../src/model/intention.js';
import type { Hold } from '../../../src/plan/plan.js';
import { createSelection, type Select } from '../../../src/plan/selection.js';
import { parseLoggedCall } from '../../../src/trail/calls/logged-call.js';
import { type TrialQuestion, trial } from '../../../src/trail/trial/trial.js';
import { decision } from '../../support/decisions.js';
import { memoryTrail } from '../../support/memory-trail.js';
import { withIndex } from '../../support/trail-history.js';

const GET = { methods: ['GET'], pathPrefix: '/v1/orders' };
const READ: Access = { kind: 'http', permissions: [GET] };
const ALL: Access = { kind: 'allow' };
const view = (access: Access | undefined) =>
  access === undefined
    ? null
    : access.kind === 'http'
      ? { access: 'http', permissions: access.permissions }
      : { access: access.kind };
const NOW = '2026-03-10T00:00:00.000Z';
const day = (of: number) => `2026-03-0${of}T10:00:00.000Z`;

const planned = (time: string, before: Access | undefined, after: Access | undefined, more = {}) =>
  decision({
    id: `planned ${time}`,
    time,
    type: 'dev.scopemesh.intention.planned',
    outcome: 'observed',
    reason: 'ModeForbids',
    changeReason: 'ScopeRevoked',
    before: view(before),
    after: view(after),
    ...more,
  });
const ended = (time: string) => planned(time, undefined, undefined, { action: 'none', id: `ended ${time}` });

const hold = (before: Access | undefined, after: Access | undefined, more: Partial<Hold> = {}): Hold => ({
  subject: 'intention/default/default/orders/web',
  resource: decision().resource,
  reason: 'ModeForbids',
  changeReason: 'ScopeRevoked',
  detail: '',
  action: 'revoke',
  scopes: ['orders:write'],
  before,
  after,
  ...more,
});

const intention = (source: string, destination: string, access: Access, mark = ''): IntentionEntry => ({
  destination: { partition: 'default', namespace: 'default', name: destination },
  sources: [
    {
      partition: 'default',
      namespace: 'default',
      name: source,
      access,
      description: mark,
      isLegacy: false,
      raw: {},
    },
  ],
  modifyIndex: 1,
  meta: {},
  raw: {},
});
const MARK = 'scopemesh:payments client=main/web-app';

const san = (service: string) => `spiffe://a.consul/ns/default/dc/dc1/svc/${service}`;
const call = (
  method: string,
  path: string,
  start_time = day(5),
  details = 'via_upstream',
  source = 'web',
  destination = 'orders',
) =>
  parseLoggedCall({
    start_time,
    method,
    path,
    response_code_details: details,
    downstream_peer_uri_san: san(source),
    downstream_local_uri_san: san(destination),
  });
async function* listed<T>(...items: readonly T[]): AsyncIterable<T> {
  yield* items;
}

interface Facts extends Partial<Pick<TrialQuestion, 'from' | 'holds' | 'calls'>> {
  readonly entries?: readonly IntentionEntry[];
  readonly defaultPolicy?: 'allow' | 'deny';
  readonly select?: Select;
}

function tried(
  decisions: readonly Decision[],
  { entries = [], defaultPolicy = 'deny', select, holds = [], ...question }: Facts,
) {
  const mesh = {
    owner: 'payments',
    defaultPolicy,
    select: select && createSelection(select),
    entries: new Map(entries.map((each) => [`default/default/${each.destination.name}`, each])),
  };
  return trial(memoryTrail(decisions), { at: NOW, holds, mesh, ...question });
}

describe('a trial of an edge', () => {
  it('says since when enforcing would narrow it, over plans that say so without a break', async () => {
    const { edges, isBreaking, from } = await tried(
      [
        planned(day(4), ALL, READ),
        ended(day(5)),
        planned(day(6), ALL, undefined),
        planned(day(7), ALL, READ),
      ],
      { holds: [hold(ALL, READ)], entries: [intention('web', 'orders', ALL, MARK)] },
    );
    expect([isBreaking, from]).toEqual([true, day(4)]);
    expect(edges).toMatchObject([
      { effect: 'narrows', reason: 'ScopeRevoked', since: { time: day(6) }, isStill: true },
    ]);
  });

  it('says what the index of a topic lacks', async () => {
    const index = { until: NOW, isBehind: false, gaps: [{ after: day(4), until: day(5) }] };
    const trail = withIndex(memoryTrail([planned(day(4), ALL, READ)]), index);
    const mesh = { owner: 'payments', defaultPolicy: 'deny', select: undefined, entries: new Map() } as const;
    const { unknown } = await trial(trail, { at: NOW, holds: [], mesh });
    expect(unknown.join()).toContain(`lacks decisions between ${day(4)} and ${day(5)}`);
  });

  it('names what it would have closed for a time, and would not now', async () => {
    const { edges, isBreaking } = await tried([planned(day(4), ALL, undefined), ended(day(6))], {});
    expect(isBreaking).toBe(false);
    expect(edges).toMatchObject([
      { effect: 'closes', since: { time: day(4) }, until: day(6), isStill: false },
    ]);
  });

  it('knows a plan that is older than the trial', async () => {
    const { edges } = await tried([planned(day(1), ALL, undefined), ended(day(6))], { from: day(4) });
    expect(edges).toMatchObject([{ since: { time: day(1) }, until: day(6) }]);
  });

  it('sees that a new exact intention takes away what a wider one of others allows', async () => {
    const { edges, isBreaking } = await tried([planned(day(4), undefined, READ, { action: 'grant' })], {
      holds: [hold(undefined, READ, { action: 'grant' })],
      entries: [intention('*', 'orders', ALL)],
    });
    expect(isBreaking).toBe(true);
    expect(edges).toMatchObject([{ effect: 'narrows', replaces: '* -> orders', before: ALL, after: READ }]);
  });

  it('counts an opening as no break, and a removal that a wider intention makes up for as nothing', async () => {
    const opened = await tried([planned(day(4), undefined, READ)], { holds: [hold(undefined, READ)] });
    expect(opened).toMatchObject({ isBreaking: false, edges: [{ effect: 'opens' }] });
    const entries = [intention('*', 'orders', ALL)];
    const covered = await tried([planned(day(4), ALL, undefined)], {
      holds: [hold(ALL, undefined)],
      entries,
    });
    expect(covered.edges).toEqual([]);
  });

  it('counts a removal that enforcing would hold first', async () => {
    const { edges, isBreaking } = await tried([planned(day(4), ALL, undefined)], {
      holds: [hold(ALL, undefined, { reason: 'RevocationLimit' })],
    });
    expect([isBreaking, edges[0]?.heldBy]).toEqual([true, 'RevocationLimit']);
  });

  it('finds nothing that permissions narrow where the default policy allows', async () => {
    const { edges } = await tried([planned(day(4), undefined, READ)], {
      holds: [hold(undefined, READ)],
      defaultPolicy: 'allow',
    });
    expect(edges).toEqual([]);
  });
});

describe('a plan that a guard delays', () => {
  const limited = hold(ALL, undefined, { reason: 'RevocationLimit' });
  const delayed = (time: string) =>
    planned(time, ALL, undefined, { outcome: 'held', reason: 'RevocationLimit' });

  it('is the same plan to the trial, and ends with the hold', async () => {
    const since = await tried([planned(day(4), ALL, undefined), delayed(day(5))], { holds: [limited] });
    expect(since.edges).toMatchObject([{ since: { time: day(4) }, isStill: true }]);
    const released = decision({ time: day(6), outcome: 'observed', reason: 'HoldEnded', action: 'none' });
    const { edges } = await tried([planned(day(4), ALL, undefined), delayed(day(5)), released], {});
    expect(edges).toMatchObject([{ until: day(6), isStill: false }]);
  });
});

describe('ACL objects and jwt-providers by which enforcing would take something away', () => {
  const login = hold(undefined, undefined, {
    subject: 'acl-auth-method/web',
    resource: { kind: 'acl-auth-method', name: 'web' },
    changeReason: 'ClientDeleted',
  });

  it('break, and are listed', async () => {
    const answer = await tried([ended(day(4))], { holds: [login] });
    expect(answer).toMatchObject({
      isBreaking: true,
      edges: [],
      objects: [{ kind: 'acl-auth-method', name: 'web', reason: 'ClientDeleted' }],
    });
    const provider = {
      ...login,
      resource: { kind: 'jwt-provider', name: 'main' },
      action: 'change',
    } as const;
    const changed = await tried([ended(day(4))], { holds: [provider] });
    expect(changed).toMatchObject({ isBreaking: true, objects: [{ kind: 'jwt-provider' }] });
  });

  it('are not those that it would make, or that others have', async () => {
    const holds = [
      { ...login, action: 'grant' as const },
      { ...login, reason: 'ForeignObject' as const },
      { ...login, resource: { kind: 'jwt-provider' as const, name: 'main' } },
    ];
    expect(await tried([ended(day(4))], { holds })).toMatchObject({ isBreaking: false, objects: [] });
  });
});

describe('the time of a trial', () => {
  it('begins after the last write to Consul, and 7 days ago at the earliest', async () => {
    const written = decision({ time: day(8) });
    const old = decision({ time: day(1), id: 'old' });
    expect((await tried([old, written, planned(day(9), ALL, READ)], {})).from).toBe(day(8));
  });

  it('begins 7 days ago if scopemesh wrote nothing since', async () => {
    const { from } = await tried([decision({ time: day(1) })], {});
    expect(from).toBe('2026-03-03T00:00:00.000Z');
  });

  it('is refused where the decision log does not reach back, with the instant at which it begins', async () => {
    const asked = tried([planned(day(4), ALL, READ)], { from: day(1) });
    await expect(asked).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining(`begins at ${day(4)}: ask with --from ${day(4)}`),
    });
    await expect(tried([], {})).rejects.toThrow('the decision log is empty');
  });

  it('says that scopemesh wrote within it', async () => {
    const { unknown } = await tried([decision({ time: day(5) })], { from: day(5) });
    expect(unknown).not.toContainEqual(expect.stringContaining('scopemesh wrote to Consul until'));
    const { unknown: more } = await tried([ended(day(4)), decision({ time: day(5) })], { from: day(4) });
    expect(more).toContainEqual(expect.stringContaining(`scopemesh wrote to Consul until ${day(5)}`));
  });
});

describe('the requests of access logs', () => {
  const counted = async (decisions: readonly Decision[], facts: Facts) =>
    (await tried(decisions, facts)).requests;
  const entries = [intention('*', 'orders', ALL)];
  const log = [planned(day(4), undefined, READ)];

  it('that enforcing would refuse are counted by pair, method and path, with the last one', async () => {
    const facts = {
      entries,
      holds: [hold(undefined, READ)],
      calls: listed(
        call('GET', '/v1/orders/7'),
        call('POST', '/v1/orders/7?x=1'),
        call('POST', '/v1/orders/8', day(6)),
        call('POST', '/v1/orders/8', day(1)),
        call('POST', '/v1/orders/9', day(6), 'rbac_access_denied_matched_policy[none]'),
        call('GET', '/v1/orders/9', day(6), 'upstream_reset'),
        parseLoggedCall({}),
        undefined,
      ),
    };
    expect(await counted(log, facts)).toEqual({
      lines: 7,
      judged: 3,
      refusedAlready: 1,
      notJudged: expect.arrayContaining([{ why: 'the line is no JSON object, or is too long', count: 1 }]),
      groups: [
        {
          outcome: 'refused',
          source: 'web',
          destination: 'orders',
          method: 'POST',
          pathPrefix: '/v1/orders/',
          count: 2,
          lastSeen: day(6),
        },
      ],
      notListed: { refused: 0, former: 0, closed: 0, unclear: 0, foreign: 0 },
    });
  });

  it('of a plan that was corrected are counted apart, and break nothing', async () => {
    const answer = await tried([planned(day(4), undefined, READ), planned(day(6), undefined, ALL)], {
      entries,
      holds: [hold(undefined, ALL)],
      calls: listed(call('POST', '/v1/orders', day(5)), call('POST', '/v1/orders', day(7))),
    });
    expect(answer.requests?.groups).toMatchObject([{ outcome: 'former', count: 1, lastSeen: day(5) }]);
    expect(answer.isBreaking).toBe(false);
  });

  it('that pass only by an intention of others are named with it', async () => {
    const answer = await tried(log, {
      entries,
      calls: listed(call('GET', '/', day(5), 'via_upstream', 'bot')),
    });
    expect(answer.requests?.groups).toMatchObject([
      { outcome: 'foreign', source: 'bot', by: '* -> orders', count: 1 },
    ]);
    expect(answer.foreign).toEqual([{ source: '*', destination: 'orders', access: ALL }]);
  });

  it('are not foreign where the scopes want the same as the intention of others', async () => {
    const answer = await tried(log, {
      entries: [intention('web', 'orders', READ)],
      holds: [hold(READ, READ, { reason: 'ForeignSource' })],
      calls: listed(call('GET', '/v1/orders')),
    });
    expect([answer.requests?.groups, answer.foreign]).toEqual([[], []]);
  });

  it('that Consul refuses now in any case, or that a header decides, are no break', async () => {
    const headers: Access = {
      kind: 'http',
      permissions: [{ ...GET, headers: [{ name: 'x', present: true }] }],
    };
    const unclear = { entries, holds: [hold(undefined, headers)], calls: listed(call('GET', '/v1/orders')) };
    expect((await counted(log, unclear))?.groups).toMatchObject([{ outcome: 'unclear' }]);
    const answer = await tried([ended(day(4))], { calls: listed(call('GET', '/v1/orders')) });
    expect([answer.requests?.groups[0]?.outcome, answer.isBreaking]).toEqual(['closed', false]);
  });

  it('are counted in a bounded number of groups, which others cannot use up', async () => {
    async function* many() {
      for (let at = 0; at < 1_010; at++) yield call('POST', `/v1/${at}`, day(5), 'via_upstream', 'noise');
      yield call('POST', `/reset/${'x'.repeat(50)}`);
    }
    const found = await counted(log, { entries, holds: [hold(undefined, READ)], calls: many() });
    expect(found?.groups.filter(({ outcome }) => outcome === 'foreign')).toHaveLength(1_000);
    expect(found?.notListed).toMatchObject({ refused: 0, foreign: 10 });
    expect(found?.groups).toContainEqual(
      expect.objectContaining({ outcome: 'refused', source: 'web', pathPrefix: '/reset/*' }),
    );
  });

  it('to services outside select are not judged, and neither they nor their edges are named', async () => {
    const facts = {
      select: { services: ['orders'] },
      entries: [...entries, intention('web', '*', ALL)],
      calls: listed(
        call('GET', '/', day(5), 'via_upstream', 'web', 'billing'),
        call('GET', '/', day(5), 'via_upstream', 'bot'),
      ),
    };
    const billing = { ...decision().resource, destination: 'billing' };
    const theirs = planned(day(4), ALL, undefined, {
      subject: 'intention/default/default/billing/web',
      resource: billing,
    });
    const answer = await tried([theirs], facts);
    expect(answer.requests).toMatchObject({
      judged: 1,
      notJudged: [{ why: 'the called service is outside select', count: 1 }],
      groups: [{ outcome: 'foreign', by: '* -> orders' }],
    });
    expect(JSON.stringify(answer)).not.toContain('billing');
  });
});
