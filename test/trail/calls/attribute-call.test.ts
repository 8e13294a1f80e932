import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IndexReach } from '../../../src/decisions/trail.js';
import type { Decision } from '../../../src/model/decision.js';
import type { Rule } from '../../../src/model/rule.js';
import {
  type AttributedCall,
  createAttribution,
  type NamedRules,
  UNKNOWN,
} from '../../../src/trail/calls/attribute-call.js';
import { parseLoggedCall } from '../../../src/trail/calls/logged-call.js';
import { decision } from '../../support/decisions.js';
import { trailOf, withIndex } from '../../support/trail-history.js';

const READ = { methods: ['GET'], pathPrefix: '/v1/orders' };
const WRITE = { methods: ['POST'], pathPrefix: '/v1/orders' };
const http = (...permissions: object[]) => ({ access: 'http', permissions });
const HORIZON = '2026-12-31T00:00:00.000Z';
const REFUSED = { response_code: 403, response_code_details: 'rbac_access_denied_matched_policy[none]' };

const rule = (scope: string, methods: string[], more: Partial<Rule> = {}): Rule => ({
  scope,
  to: 'orders',
  methods,
  path: '/v1/orders',
  userRequired: false,
  ...more,
});
const [reading, writing] = [rule('orders:read', ['GET']), rule('orders:write', ['POST'])];
const RULES: NamedRules = {
  mapping: { rules: [reading, writing], providers: ['main'], revision: 'sha256:00' },
  names: new Map([
    [reading, 'scopes."orders:read"'],
    [writing, 'scopes."orders:write"'],
  ]),
};

const opened = decision({
  id: 'opened',
  time: '2026-03-01T10:00:00.000Z',
  action: 'grant',
  reason: 'ScopeGranted',
  before: null,
  after: http(READ, WRITE),
  scopes: ['orders:read', 'orders:write'],
});
const narrowed = decision({
  id: 'narrowed',
  time: '2026-03-01T11:00:00.000Z',
  before: http(READ, WRITE),
  after: http(READ),
  scopes: ['orders:write'],
});
const closed = decision({
  id: 'closed',
  time: '2026-03-01T12:00:00.000Z',
  reason: 'ClientDisabled',
  before: http(READ),
  after: null,
  scopes: ['orders:read'],
});

const id = (service: string, domain = 'a.consul') => `spiffe://${domain}/ns/default/dc/dc1/svc/${service}`;
const line = (at: string, more: object = {}) => ({
  start_time: `2026-03-01T${at}Z`,
  method: 'GET',
  path: '/v1/orders/7?x=1',
  response_code: 200,
  response_code_details: 'via_upstream',
  downstream_peer_uri_san: id('web'),
  downstream_local_uri_san: id('orders'),
  ...more,
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-calls-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function attribute(
  lines: readonly Readonly<Record<string, unknown>>[],
  {
    decisions = [opened, narrowed, closed],
    rules = RULES,
    horizon = HORIZON,
    index,
  }: {
    readonly decisions?: readonly Decision[];
    readonly rules?: NamedRules | null;
    readonly horizon?: string;
    readonly index?: IndexReach;
  } = {},
): Promise<readonly AttributedCall[]> {
  const log = await trailOf(mkdtempSync(join(directory, 'log-')), decisions);
  const trail = index === undefined ? log : withIndex(log, index);
  try {
    const ask = await createAttribution(trail, rules ?? undefined);
    const found: AttributedCall[] = [];
    for (const each of lines) found.push(await ask(parseLoggedCall(each), horizon));
    return found;
  } finally {
    await trail.close();
  }
}

describe('a line of an access log', () => {
  it('says that the local index lacks decisions of before it', async () => {
    const gaps = [{ after: '2026-03-01T10:20:00.000Z', until: '2026-03-01T10:40:00.000Z' }];
    const index = { until: HORIZON, isBehind: false, gaps };
    const [before, after] = await attribute([line('10:10:00.000'), line('10:50:00.000')], { index });
    expect([before?.unknown, after?.unknown]).toEqual([[], [UNKNOWN.gap]]);
    const broken = { id: 'forged', time: '2026-03-01T10:20:00.000Z' };
    const [doubtful] = await attribute([line('10:50:00.000')], { index: { ...index, gaps: [], broken } });
    expect(doubtful?.unknown).toEqual([UNKNOWN.broken]);
  });

  it('gets the client, the kind, the scope, the rule and the decision of its instant, in any order of lines', async () => {
    const web = { provider: 'main', clientId: 'web-app', actorKind: 'workload' };
    const post = { method: 'POST' };
    expect(
      await attribute([
        line('11:00:00.000', { ...post, ...REFUSED }),
        line('10:59:59.999', post),
        line('10:30:00.000'),
        line('12:00:00.000', REFUSED),
      ]),
    ).toEqual([
      {
        source: 'web',
        destination: 'orders',
        client: web,
        scopes: [],
        rules: [],
        decision: { id: 'narrowed', time: '2026-03-01T11:00:00.000Z', reason: 'ScopeRevoked' },
        verdict: 'denied',
        agrees: true,
        unknown: [],
      },
      expect.objectContaining({
        client: web,
        scopes: ['orders:write'],
        rules: ['scopes."orders:write"'],
        decision: expect.objectContaining({ id: 'opened' }),
        verdict: 'allowed',
        agrees: true,
        unknown: [],
      }),
      expect.objectContaining({ scopes: ['orders:read'], rules: ['scopes."orders:read"'] }),
      expect.objectContaining({
        client: web,
        decision: { id: 'closed', time: '2026-03-01T12:00:00.000Z', reason: 'ClientDisabled' },
        verdict: 'denied',
        agrees: true,
      }),
    ]);
  });

  it('gets a decision that was made after the pair was read before', async () => {
    const trail = await trailOf(directory, [opened]);
    const ask = await createAttribution(trail, RULES);
    const post = (at: string) => parseLoggedCall(line(at, { method: 'POST' }));
    const [now, later] = ['2026-03-01T10:31:00.000Z', '2026-03-01T11:31:00.000Z'];
    expect(await ask(post('10:30:00.000'), now)).toMatchObject({ decision: { id: 'opened' } });
    expect(await ask(post('10:32:00.000'), now)).toMatchObject({ unknown: [UNKNOWN.newer] });
    await (await trailOf(directory, [narrowed])).close();
    expect(await ask(post('10:59:59.999'), later)).toMatchObject({ decision: { id: 'opened' } });
    expect(await ask(post('11:00:00.000'), later)).toMatchObject({
      decision: { id: 'narrowed' },
      verdict: 'denied',
    });
    await trail.close();
  });

  it('shows that the proxy answered otherwise than the decision', async () => {
    const [late, early] = await attribute([line('12:00:01.000'), line('10:00:00.100', REFUSED)]);
    expect([late?.verdict, late?.agrees]).toEqual(['denied', false]);
    expect([early?.verdict, early?.agrees]).toEqual(['allowed', false]);
  });

  it.each([
    ['without the certificate of the caller', { downstream_peer_uri_san: null }, UNKNOWN.peer],
    ['without the certificate of the called service', { downstream_local_uri_san: '-' }, UNKNOWN.local],
    [
      'of a caller that is no service',
      { downstream_peer_uri_san: 'spiffe://a.consul/gateway/mesh/dc/dc1' },
      UNKNOWN.gateway,
    ],
    ['of two certificates', { downstream_peer_uri_san: `${id('web')},${id('bot')}` }, UNKNOWN.gateway],
    ['of another trust domain', { downstream_peer_uri_san: id('web', 'b.consul') }, UNKNOWN.domain],
    [
      'of another namespace',
      { downstream_peer_uri_san: 'spiffe://a.consul/ns/other/dc/dc1/svc/web' },
      UNKNOWN.place,
    ],
    ['without an instant', { start_time: '2026-03-01 10:30' }, UNKNOWN.time],
    ['of a pair without a decision', { downstream_peer_uri_san: id('bot') }, UNKNOWN.none],
    ['that is newer than the log', { start_time: '2027-01-01T00:00:00Z' }, UNKNOWN.newer],
  ])('%s names no client, and says why', async (_, more, why) => {
    const [found] = await attribute([line('10:30:00.000', more)]);
    expect(found).toMatchObject({
      client: null,
      scopes: null,
      decision: null,
      verdict: null,
      unknown: [why],
    });
  });

  it('of another mesh does not name the service of the same name here', async () => {
    const [found] = await attribute([
      line('10:30:00.000', { downstream_peer_uri_san: id('web', 'b.consul') }),
    ]);
    expect(found?.source).toBeNull();
  });

  it('names no rule if the mapping of that instant is another, and all scopes of the edge', async () => {
    const other = { ...RULES, mapping: { ...RULES.mapping, revision: 'sha256:01' } };
    for (const rules of [other, null])
      expect(await attribute([line('10:30:00.000')], { rules })).toMatchObject([
        {
          scopes: ['orders:read', 'orders:write'],
          rules: null,
          verdict: 'allowed',
          unknown: [UNKNOWN.rules],
        },
      ]);
  });

  it('leaves open what a crash, a header or a later finding leaves open', async () => {
    const one = async (changes: Partial<Decision>) =>
      (await attribute([line('10:30:00.000')], { decisions: [{ ...opened, ...changes }] }))[0];
    expect(await one({ outcome: 'unknown' })).toMatchObject({ verdict: 'unclear', unknown: [UNKNOWN.crash] });
    const headers = [{ name: 'x-canary', present: true }];
    expect(await one({ after: http({ ...READ, headers }) })).toMatchObject({
      verdict: 'unclear',
      agrees: null,
      unknown: [UNKNOWN.headers],
    });
    const later = { ...closed, before: http(READ) };
    expect(await attribute([line('10:30:00.000')], { decisions: [later] })).toMatchObject([
      { verdict: 'allowed', scopes: null, unknown: expect.arrayContaining([UNKNOWN.found]) },
    ]);
  });

  it('of another datacenter names no client, since a service of the same name here has another', async () => {
    const peer = { downstream_peer_uri_san: id('web').replace('/dc/dc1/', '/dc/dc2/') };
    const found = await attribute([
      line('10:30:00.000', peer),
      line('12:00:01.000', { ...peer, ...REFUSED }),
    ]);
    expect(found).toMatchObject(
      ['allowed', 'denied'].map((verdict) => ({
        source: 'web',
        client: null,
        scopes: null,
        rules: null,
        verdict,
        unknown: [UNKNOWN.datacenter],
      })),
    );
  });

  it('names no rule if rules of different APIs match the scope', async () => {
    const [one, other] = ['a', 'b'].map((api) => rule('orders:read', ['GET'], { api }));
    if (one === undefined || other === undefined) throw new Error('no rules');
    const names = new Map([
      [one, 'one'],
      [other, 'other'],
    ]);
    const rules = { mapping: { ...RULES.mapping, rules: [one, other] }, names };
    expect(await attribute([line('10:30:00.000')], { rules })).toMatchObject([
      { scopes: ['orders:read'], rules: null, unknown: [UNKNOWN.apis] },
    ]);
  });

  it('of a connection without HTTP shows only that an intention ended it', async () => {
    const tcp = { method: null, path: null, response_code: 0, response_code_details: null };
    const decisions = [{ ...opened, after: { access: 'allow' } }];
    const found = await attribute(
      [
        line('10:30:00.000', tcp),
        line('10:30:00.000', { ...tcp, connection_termination_details: 'downstream_reset' }),
        line('10:30:00.000', {
          ...tcp,
          connection_termination_details: 'rbac_access_denied_matched_policy[none]',
        }),
      ],
      { decisions },
    );
    expect(found.map(({ verdict, agrees }) => [verdict, agrees])).toEqual([
      ['allowed', null],
      ['allowed', null],
      ['allowed', false],
    ]);
  });
});
