import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  clientName,
  describeClient,
  describe as describeObject,
  hasOurName,
  isOurs,
  jwtProviderName,
  peopleName,
  personName,
  policyName,
} from '../../src/plan/object-names.js';
import { clientOfDescription } from '../../src/plan/ownership.js';
import { hostileText } from '../acl/plan/acl-scene.js';

const owner = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);

describe('a name', () => {
  test('of a plain client can be read', () => {
    expect(clientName('payments', { provider: 'main', clientId: 'web-app' })).toBe(
      'scopemesh-payments-main-web-app',
    );
  });

  test('fits Consul and carries the owner, whatever the id', () => {
    fc.assert(
      fc.property(owner, owner, hostileText, hostileText, (who, provider, text, group) => {
        for (const name of [
          clientName(who, { provider, clientId: text }),
          peopleName(who, provider),
          personName(who, provider, text, group),
          policyName(who, text),
          jwtProviderName(who, provider),
        ]) {
          expect(name).toMatch(/^scopemesh-[a-z0-9_-]{1,118}$/);
          expect(hasOurName(who, name)).toBe(true);
        }
      }),
    );
  });

  test('is never that of another client, owner, person or purpose, also where case is not looked at', () => {
    const part = fc.constantFrom('a', 'b', 'a-b', 'b-c', 'pay', 'pay-ments', 'payments', 'a'.repeat(63));
    const id = fc.oneof(
      hostileText,
      fc.constantFrom('a', 'A', 'b-c', 'people', 'users', '_people', '-a', 'a-', 'c', 'x'.repeat(80)),
    );
    const thing = fc.tuple(fc.constantFrom('client', 'people', 'person', 'users'), part, part, id, id);
    const nameOf = ([kind, who, provider, one, two]: [string, string, string, string, string]) => {
      if (kind === 'client') return clientName(who, { provider, clientId: one });
      if (kind === 'person') return personName(who, provider, one, two);
      return kind === 'people' ? peopleName(who, provider) : jwtProviderName(who, provider);
    };
    const essence = ([kind, who, provider, one, two]: [string, string, string, string, string]) =>
      JSON.stringify([
        kind,
        who,
        provider,
        ...(kind === 'client' ? [one] : kind === 'person' ? [one, two] : []),
      ]);
    fc.assert(
      fc.property(thing, thing, (x, y) => {
        expect(nameOf(x).toLowerCase() === nameOf(y).toLowerCase()).toBe(essence(x) === essence(y));
      }),
      { numRuns: 2000 },
    );
  });

  test('is not that of a client of another provider whose name goes on in the id', () => {
    const one = clientName('pay', { provider: 'a', clientId: 'b-c' });
    expect(clientName('pay', { provider: 'a-b', clientId: 'c' })).not.toBe(one);
    expect(clientName('pay-a', { provider: 'b', clientId: 'c' })).not.toBe(one);
  });

  test('cannot be had by an id that is chosen to look like the hash of another', () => {
    const hashed = clientName('pay', { provider: 'main', clientId: 'Web' });
    const suffix = hashed.slice('scopemesh-pay-main-'.length);
    expect(clientName('pay', { provider: 'main', clientId: suffix })).not.toBe(hashed);
    expect(clientName('pay', { provider: 'main', clientId: suffix.slice(1) })).not.toBe(hashed);
  });

  test('is that of the owner pay only, not of payments or pay-ments', () => {
    for (const other of ['payments', 'pay-ments'])
      expect(hasOurName('pay', clientName(other, { provider: 'main', clientId: 'web' }))).toBe(false);
  });
});

describe('the mark', () => {
  test.each([
    ['scopemesh-pay-main-web', 'scopemesh:pay client=main/web', true],
    ['SCOPEMESH-PAY-main-web', 'scopemesh:pay', true],
    ['scopemesh-pay-main-web', 'scopemesh:payments client=main/web', false],
    ['scopemesh-payments-main-web', 'scopemesh:pay client=main/web', false],
    ['scopemesh-pay-main-web', '', false],
    ['scopemesh-pay-main-web', ' scopemesh:pay', false],
    ['web', 'scopemesh:pay', false],
  ])('of %j with Description %j is ours: %j', (name, description, expected) => {
    expect(isOurs('pay', name, description)).toBe(expected);
  });

  test('is in every Description, which is bounded and names its client and no other', () => {
    fc.assert(
      fc.property(hostileText, hostileText, (clientId, group) => {
        const description = describeClient('pay', { provider: 'main', clientId });
        expect(isOurs('pay', 'scopemesh-pay-x', description)).toBe(true);
        expect(description.length).toBeLessThanOrEqual(512);
        const named = clientOfDescription(description);
        if (named !== undefined && clientId.isWellFormed()) expect(named.clientId).toBe(clientId);
        const other = describeObject('pay', { person: ['main', clientId], group: [group] });
        expect(isOurs('pay', 'scopemesh-pay-x', other)).toBe(true);
        expect(other).toMatch(/^[\x21-\x7e]+( [\x21-\x7e]+)*$/);
        expect(other.length).toBeLessThanOrEqual(512);
      }),
    );
  });
});
