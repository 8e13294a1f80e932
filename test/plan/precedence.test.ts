import { describe, expect, test } from 'vitest';
import { allowsAnything, fallbackIntention } from '../../src/plan/precedence.js';
import { ALLOW, DENY, entry, named, source } from './scene.js';

describe('the intention that applies without a source', () => {
  const at8 = source('*', ALLOW, '8');
  const at6 = source('web', ALLOW, '6');
  const at5 = source('*', ALLOW, '5');
  test.each([
    ['any source at the destination comes first (8)', entry('orders', at8), entry('*', at6, at5), '8'],
    ['then the source at any destination (6)', entry('orders'), entry('*', at5, at6), '6'],
    ['then any source at any destination (5)', undefined, entry('*', at5, source('api', ALLOW)), '5'],
    ['else the default policy', entry('orders', source('api', ALLOW)), undefined, undefined],
    [
      'a source of a peer never',
      entry('orders', source('*', ALLOW, '', { peer: 'east' })),
      undefined,
      undefined,
    ],
  ])('%s', (_, exact, wildcard, expected) => {
    expect(fallbackIntention(named('web'), exact, wildcard)?.description).toBe(expected);
  });
});

test('what is not understood counts as opening', () => {
  expect([allowsAnything(DENY), allowsAnything(ALLOW), allowsAnything({ kind: 'other' })]).toEqual([
    false,
    true,
    true,
  ]);
});
