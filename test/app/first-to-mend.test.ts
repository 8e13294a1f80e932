import { describe, expect, it } from 'vitest';
import { firstToMend } from '../../src/app/first-to-mend.js';
import type { Explanation } from '../../src/plan/explain.js';
import type { Obstacle } from '../../src/plan/reach.js';
import { DENY } from '../plan/scene.js';
import { CLIENT, CLOSED, HOLD, VIEW, web } from './explanation-scene.js';

const foreign = {
  precedence: 6 as const,
  source: 'web',
  destination: '*',
  access: DENY,
  isOwned: false,
  description: '',
};
const obstacle = (remedy: string, blocks: boolean): Obstacle => ({
  kind: 'routed',
  blocks,
  message: '',
  remedy,
});

describe('what to mend first', () => {
  it.each<[string, Partial<Explanation>, RegExp]>([
    ['the deny of a person', { denied: 'by ana', holds: [HOLD] }, /scopemesh deny web orders --end$/],
    [
      'a claim that nobody makes',
      { claim: { kind: 'none', service: web, vanished: false } },
      /^register web with the meta/,
    ],
    [
      'a source that is gone',
      { claim: { kind: 'none', service: web, vanished: true } },
      /^register an instance of web/,
    ],
    [
      'a claim that does not count, before its hold',
      {
        claim: { kind: 'refused', service: web, client: CLIENT, reason: 'ClaimTaken', detail: 'api has it' },
        holds: [HOLD],
      },
      /^correct the claim of web: ClaimTaken, api has it/,
    ],
    ['a client that is gone', { client: { ...VIEW, exists: false } }, /^create the client main\/web-app/],
    [
      'a client that cannot be read',
      { client: { ...VIEW, isReadable: false } },
      /^correct the record of the client/,
    ],
    [
      'a disabled client',
      { client: { ...VIEW, enabled: false }, openings: [] },
      /^enable the client main\/web-app/,
    ],
    [
      'a quarantine',
      { client: { ...VIEW, closure: 'ClientQuarantined' }, openings: [] },
      /scopemesh approve main\/web-app$/,
    ],
    [
      'a missing scope',
      { openings: [], desired: undefined },
      /^give the client a scope that a rule opens for orders/,
    ],
    [
      'a limit of the kind of client',
      { openings: [], desired: undefined, client: { ...VIEW, limited: ['orders:admin'] } },
      /^let clients of kind workload use the scope/,
    ],
    ['a hold', { holds: [HOLD] }, /^settle what holds the change: Frozen, a freeze is in effect/],
    [
      'an intention of others',
      { candidates: [foreign] },
      /^change the intention web -> \*, which scopemesh does not own/,
    ],
    ['an unreadable default policy', { defaultPolicy: 'unknown' }, /agent:read/],
    ['an intention that nobody here can judge', { verdict: 'unclear' }, /only Envoy can$/],
  ])('is %s', (_, changes, expected) => {
    expect(firstToMend({ ...CLOSED, ...changes }, [obstacle('later', true)])?.what).toMatch(expected);
  });

  it('is a request that no scope opens, where the scopes open others', () => {
    const read = { kind: 'http' as const, permissions: [{ methods: ['GET'] }] };
    const owned = { ...foreign, precedence: 9 as const, destination: 'orders', access: read, isOwned: true };
    const request = { method: 'POST', path: '/v1' };
    expect(firstToMend({ ...CLOSED, candidates: [owned], request, desired: read }, [])?.what).toBe(
      'give the client a scope whose rule opens POST /v1, or write one',
    );
  });

  it('of an allowed call is what no call gets past, then the rest, then nothing', () => {
    const open = { ...CLOSED, verdict: 'allowed' as const };
    expect(firstToMend(open, [obstacle('some', false), obstacle('all', true)])?.what).toBe('all');
    expect(firstToMend(open, [obstacle('some', false)])?.what).toBe('some');
    expect(firstToMend(open, [])).toBeUndefined();
  });
});
