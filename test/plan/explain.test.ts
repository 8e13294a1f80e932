import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Access, IntentionSource } from '../../src/model/intention.js';
import type { HttpRequestShape } from '../../src/plan/access.js';
import { type Explanation, explain, verdictOnRequest } from '../../src/plan/explain.js';
import type { Hold } from '../../src/plan/plan.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { ISSUER, settings } from '../acl/plan/acl-scene.js';
import { glass, HOUR } from './break-glass-scene.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesOf,
  entry,
  inputsOf,
  mapping,
  NOW,
  named,
  ourSource,
  rule,
  type Scene,
  scene,
  source,
} from './scene.js';

const READ: Access = { kind: 'http', permissions: [{ methods: ['GET'], pathPrefix: '/v1/' }] };

function explained(
  changes: Partial<Scene>,
  facts: {
    request?: HttpRequestShape;
    defaultPolicy?: Explanation['defaultPolicy'];
    from?: string;
    claimHolds?: readonly Hold[];
    unreadable?: Hold;
  } = {},
): Explanation {
  const input = inputsOf(scene(changes)).find((each) => each.destination.name === 'orders');
  if (input === undefined) throw new Error('nothing is about orders');
  return explain({
    source: named(facts.from ?? 'web'),
    request: facts.request,
    defaultPolicy: facts.defaultPolicy ?? 'deny',
    input,
    plan: planDestination(input),
    claimHolds: facts.claimHolds ?? [],
    unreadable: facts.unreadable,
  });
}

describe('the explanation of a call', () => {
  it.each<[string, IntentionSource['access'], HttpRequestShape | undefined, Explanation['verdict']]>([
    ['an allow', ALLOW, undefined, 'allowed'],
    ['an allow, asked for a request', ALLOW, { method: 'PUT', path: '/' }, 'allowed'],
    ['a deny', DENY, undefined, 'denied'],
    ['permissions', READ, undefined, 'partly'],
    ['permissions that match', READ, { method: 'GET', path: '/v1/a?b' }, 'allowed'],
    ['permissions that do not match', READ, { method: 'POST', path: '/v1/a' }, 'denied'],
    ['content that is not understood', { kind: 'other' }, undefined, 'unclear'],
  ])('%s is judged as Consul does', (_what, access, request, verdict) => {
    const entries = entriesOf(entry('orders', ourSource('web', access)));
    expect(explained({ entries }, request === undefined ? {} : { request }).verdict).toBe(verdict);
  });

  it.each<[Explanation['defaultPolicy'], Explanation['verdict']]>([
    ['allow', 'allowed'],
    ['deny', 'denied'],
    ['unknown', 'denied'],
  ])('without an intention the default policy %s decides', (defaultPolicy, verdict) => {
    expect(explained({}, { defaultPolicy })).toMatchObject({ verdict, candidates: [] });
  });

  it('a request that no permission matches falls to the default policy', () => {
    const entries = entriesOf(entry('orders', ourSource('web', READ)));
    const request = { method: 'POST', path: '/' };
    expect(explained({ entries }, { request, defaultPolicy: 'allow' }).verdict).toBe('allowed');
  });

  it('only the most exact intention decides, and sources of peers do not count', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), ([exact, toAll, fromOne, all]) => {
        const peer = source('web', ALLOW, '', { peer: 'east' });
        const entries = entriesOf(
          entry(
            'orders',
            peer,
            ...(toAll ? [source('*', DENY)] : []),
            ...(exact ? [source('web', ALLOW)] : []),
          ),
          entry('*', ...(all ? [source('*', ALLOW)] : []), ...(fromOne ? [source('web', DENY)] : [])),
        );
        const found = explained({ entries });
        const precedences = [exact && 9, toAll && 8, fromOne && 6, all && 5].filter((each) => each !== false);
        expect(found.candidates.map(({ precedence }) => precedence)).toEqual(precedences);
        const allows = exact || (!toAll && !fromOne && all === true);
        expect(found.verdict).toBe(allows ? 'allowed' : 'denied');
      }),
    );
  });

  it('names the client, what its scopes open, and what is due', () => {
    expect(explained({})).toMatchObject({
      claim: { kind: 'claimed' },
      client: {
        clientId: 'web',
        isReadable: true,
        exists: true,
        enabled: true,
        grants: [{ name: 'orders' }],
      },
      openings: [{ scope: 'orders', access: ALLOW }],
      desired: ALLOW,
      pending: { action: 'grant', reason: 'ScopeGranted' },
    });
  });

  it('says nothing of what is held or due for other sources', () => {
    const found = explained({}, { from: 'other' });
    expect(found).toMatchObject({
      claim: { kind: 'none' },
      client: undefined,
      pending: undefined,
      holds: [],
    });
  });
});

describe('the explanation of a call names', () => {
  const GLASS = glass({ forMs: HOUR, askedAt: NOW, openedAt: NOW });

  it('who makes an intention, and whether scopemesh owns it', () => {
    const of = (each: IntentionSource, meta = {}, changes: Partial<Scene> = {}) =>
      explained({ entries: entriesOf({ ...entry('orders', each), meta }), ...changes }).candidates[0];
    expect(of(ourSource('web', ALLOW))).toEqual({
      precedence: 9,
      source: 'web',
      destination: 'orders',
      access: ALLOW,
      isOwned: true,
      description: 'scopemesh:pay client=main/web',
    });
    expect(of(source('web', ALLOW))).toMatchObject({ isOwned: false });
    expect(of(ourSource('web', ALLOW), {}, { unrecorded: undefined })).toMatchObject({ isOwned: false });
    expect(of(source('web', ALLOW), { 'external-source': 'terraform' })?.manager).toBe(
      'terraform manages it',
    );
    const wild = explained({ entries: entriesOf(entry('*', source('web', DENY), source('*', ALLOW))) });
    expect(wild.candidates.map((each) => [each.source, each.destination])).toEqual([
      ['web', '*'],
      ['*', '*'],
    ]);
  });

  it('a token that would let the call through', () => {
    const jwt = { provider: 'idp', verifyClaims: [] };
    const entries = entriesOf(
      entry(
        'orders',
        ourSource('web', {
          kind: 'http',
          permissions: [
            { methods: ['GET'], jwt },
            { pathRegex: '/(a)\\1', jwt },
          ],
        }),
      ),
    );
    const verdict = (method: string, path: string) =>
      explained({ entries }, { request: { method, path } }).verdict;
    expect(verdict('GET', '/')).toBe('with-token');
    expect(verdict('PUT', '/')).toBe('unclear');
    const only = { kind: 'http', permissions: [{ methods: ['GET'], jwt }] } as const;
    expect(verdictOnRequest(only, { method: 'PUT', path: '/' })).toBe('denied');
    expect(verdictOnRequest(only, { method: 'GET', path: '/', token: jwt })).toBe('allowed');
  });

  it('the break-glass grants of this edge, and no other', () => {
    const breakGlass = [GLASS, { ...GLASS, id: '01JDXK4T0QJ5W3M8V7Z2R6N9PC', source: 'job' }];
    const limits = mapping({ breakGlass: { longestMs: 3_600_000, never: [] } });
    const found = explained({ mapping: limits, breakGlass });
    expect(found.breakGlass).toMatchObject([{ id: GLASS.id, state: 'open' }]);
    expect(found.desired).toEqual(ALLOW);
  });

  it('the holds of the edge, of its claim and of its client', () => {
    const hold = (name: string): Hold => ({
      subject: name,
      reason: 'ClaimTaken',
      detail: '',
      action: 'grant',
      scopes: [],
      resource: { kind: 'claim', name },
    });
    const guarded = mapping({ rules: [rule('orders', 'orders')], protectedServices: ['orders'] });
    const others = { clients: [client('web', ['orders']), client('job', ['orders'])] };
    const of = (unreadable?: Hold) =>
      explained(
        { mapping: guarded, ...others, services: [claiming('web', 'web'), claiming('job', 'job')] },
        { claimHolds: [hold('web'), hold('job')], ...(unreadable === undefined ? {} : { unreadable }) },
      ).holds.map(({ subject }) => subject);
    expect(of()).toEqual(['intention/default/default/orders/web', 'web']);
    expect(of(hold('unreadable'))).toEqual(['intention/default/default/orders/web', 'web', 'unreadable']);
  });

  it('a client that does not exist or is disabled, with its scopes in order', () => {
    const grants = [{ name: 'b' }, { api: 'x', name: 'a' }, { name: 'a' }];
    const off = client('web', [], { enabled: false, grants });
    expect(explained({ clients: [off], entries: entriesOf(entry('orders')) }).client).toMatchObject({
      exists: true,
      enabled: false,
      actorKind: 'workload',
      grants: [{ api: 'x', name: 'a' }, { name: 'a' }, { name: 'b' }],
      limited: [],
    });
    expect(explained({ clients: [], entries: entriesOf(entry('orders')) })).toMatchObject({
      client: { exists: false, enabled: false, actorKind: 'unknown', grants: [], limited: [] },
      openings: [],
      desired: undefined,
    });
    const limits = { human: { never: [] }, workload: { never: ['orders'] }, agent: { never: [] } };
    const limited = mapping({ rules: [rule('orders', 'orders')], limits });
    expect(explained({ mapping: limited, entries: entriesOf(entry('orders')) }).client?.limited).toEqual([
      'orders',
    ]);
  });

  it('only what opens this destination, and a jwt-provider that it waits for', () => {
    const rules = [
      rule('orders', 'orders'),
      rule('more', 'billing'),
      rule('user', 'orders', { userRequired: true }),
    ];
    const clients = [client('web', ['orders', 'more', 'user'])];
    const userTokens = {
      consulVersion: '1.16.1',
      laxAgents: [],
      jwksUris: new Map([['main', `${ISSUER}/certs`]]),
      entries: new Map(),
      behindGateways: new Set<string>(),
    };
    const found = explained({ mapping: mapping({ rules, acl: settings() }), clients, userTokens });
    expect(found.awaitsJwtProvider).toBe(true);
    expect(found.openings).toMatchObject([
      { scope: 'orders', access: ALLOW },
      { scope: 'user', access: { kind: 'http', permissions: [{ jwt: {} }] } },
    ]);
    expect(explained({}).awaitsJwtProvider).toBe(false);
    const unknown = explained({ mapping: mapping({ rules: [rules[2] ?? rule('', '')] }), clients });
    expect(unknown.openings).toEqual([]);
  });
});
