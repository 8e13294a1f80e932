import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Access, IntentionSource } from '../../src/model/intention.js';
import type { HttpRequestShape } from '../../src/plan/access.js';
import { type Explanation, explain } from '../../src/plan/explain.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import {
  ALLOW,
  DENY,
  entriesOf,
  entry,
  inputsOf,
  named,
  ourSource,
  type Scene,
  scene,
  source,
} from './scene.js';

const READ: Access = { kind: 'http', permissions: [{ methods: ['GET'], pathPrefix: '/v1/' }] };

function explained(
  changes: Partial<Scene>,
  facts: { request?: HttpRequestShape; defaultPolicy?: Explanation['defaultPolicy']; from?: string } = {},
): Explanation {
  const input = inputsOf(scene(changes)).find((each) => each.destination.name === 'orders');
  if (input === undefined) throw new Error('nothing is about orders');
  return explain({
    source: named(facts.from ?? 'web'),
    request: facts.request,
    defaultPolicy: facts.defaultPolicy ?? 'deny',
    input,
    plan: planDestination(input),
    claimHolds: [],
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

  it('only the most exact intention decides, and sources of peers are none', () => {
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
