import { describe, expect, it } from 'vitest';
import { stepsOf } from '../../src/app/call-steps.js';
import type { CallConditions } from '../../src/app/explain-call.js';
import { firstToMend } from '../../src/app/first-to-mend.js';
import type { Explanation } from '../../src/plan/explain.js';
import { mapping, rule } from '../plan/scene.js';
import { CLIENT, CLOSED, HOLD, VIEW, web } from './explanation-scene.js';

const ARRIVES: CallConditions = {
  isSourceKnown: true,
  isDestinationKnown: true,
  arrives: 'yes',
  obstacles: [],
  behind: [],
  isUnsynced: false,
  mode: 'enforce',
  areOrdersKnown: true,
};
const MAPPING = mapping({ rules: [rule('orders:read', 'orders')] });
const foreign = {
  precedence: 9,
  source: 'web',
  destination: 'orders',
  access: { kind: 'deny' },
  isOwned: false,
  description: '',
} as const;
const HTTP = { kind: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1' }] } as const;

describe('the first broken link of a refused call, and whose turn it is', () => {
  it.each<[string, Partial<Explanation>, string, string]>([
    [
      'no claim',
      { claim: { kind: 'none', service: web, vanished: false }, client: undefined },
      'claim',
      'service',
    ],
    [
      'a claim that the client does not confirm',
      { claim: { kind: 'refused', service: web, client: CLIENT, reason: 'ClaimUnconfirmed', detail: 'x' } },
      'claim',
      'service',
    ],
    [
      'a disabled client',
      { client: { ...VIEW, enabled: false }, openings: [] },
      'client',
      'identity-provider',
    ],
    [
      'a quarantine',
      { client: { ...VIEW, closure: 'ClientQuarantined' }, openings: [], holds: [] },
      'client',
      'person',
    ],
    ['no scope', { openings: [], desired: undefined }, 'scope', 'identity-provider'],
    [
      'a scope that this kind may never use',
      { openings: [], desired: undefined, client: { ...VIEW, limited: ['orders:read'] } },
      'rule',
      'mapping',
    ],
    [
      'a request that no rule opens',
      {
        openings: [{ scope: 'orders:read', access: HTTP }],
        request: { method: 'POST', path: '/v1' },
        desired: HTTP,
        candidates: [{ ...foreign, access: HTTP, isOwned: true }],
      },
      'rule',
      'identity-provider',
    ],
    ['a freeze', { holds: [HOLD] }, 'intention', 'scopemesh'],
    ['a hold for a person', { holds: [{ ...HOLD, reason: 'MarkUnrecorded' }] }, 'intention', 'person'],
    ['a hold for what Consul has', { holds: [{ ...HOLD, reason: 'ForeignSource' }] }, 'intention', 'consul'],
    ['a deny of others', { candidates: [foreign] }, 'intention', 'consul'],
    ['a deny of a person', { denied: 'ana denies it', openings: [] }, 'intention', 'person'],
    ['an intention that nobody can judge', { verdict: 'unclear' }, 'intention', 'consul'],
  ])('%s', (_, changes, name, who) => {
    const explanation = { ...CLOSED, ...changes };
    const { steps, firstBroken } = stepsOf(explanation, ARRIVES, MAPPING);
    expect(steps.map((each) => each.name)).toEqual([
      'claim',
      'client',
      'scope',
      'rule',
      'intention',
      'arrival',
    ]);
    expect([firstBroken, firstToMend(explanation, [])?.who]).toEqual([name, who]);
    expect(steps.every(({ text }) => text.length > 0)).toBe(true);
  });

  it('is the rule where no rule names the destination', () => {
    const explanation = { ...CLOSED, openings: [], desired: undefined };
    const { steps, firstBroken } = stepsOf(explanation, ARRIVES, mapping());
    expect(firstBroken).toBe('rule');
    expect(steps.find(({ name }) => name === 'scope')?.ok).toBeNull();
  });
});

it('an allowed call has no broken link, but that it does not arrive', () => {
  const open = { ...CLOSED, verdict: 'allowed' as const };
  expect(stepsOf(open, ARRIVES, MAPPING).firstBroken).toBeUndefined();
  expect(stepsOf(open, ARRIVES, MAPPING).steps.every(({ ok }) => ok === true)).toBe(true);
  expect(stepsOf(open, { ...ARRIVES, arrives: 'no' }, MAPPING).firstBroken).toBe('arrival');
});

it('what is not known is neither right nor wrong', () => {
  const unknown = { ...CLOSED, claim: { kind: 'unknown', service: web, client: CLIENT } } as const;
  const { steps } = stepsOf(unknown, { ...ARRIVES, arrives: 'unknown' }, MAPPING);
  expect(steps.filter(({ ok }) => ok === null).map(({ name }) => name)).toEqual(['claim', 'arrival']);
});
