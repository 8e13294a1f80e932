import { describe, expect, test } from 'vitest';
import {
  caselessText,
  clientOfDescription,
  describeSource,
  isManagedElsewhere,
  isOwned,
  isOwnedDescription,
  isSourceOf,
} from '../../src/plan/ownership.js';
import { ALLOW, entry, named, source } from './scene.js';

describe('the mark', () => {
  test.each([
    ['scopemesh:pay', true],
    ['scopemesh:pay client=main/web', true],
    ['scopemesh:payments', false],
    ['scopemesh:payments client=main/web', false],
    ['scopemesh:pay\tclient=main/web', false],
    [' scopemesh:pay', false],
    ['see scopemesh:pay', false],
    ['Scopemesh:pay', false],
    ['', false],
  ])('of owner pay is in %j: %j', (description, isOurs) => {
    expect(isOwnedDescription('pay', description)).toBe(isOurs);
  });

  test('on a source of a peer does not make it ours', () => {
    expect(isOwned('pay', source('web', ALLOW, 'scopemesh:pay'))).toBe(true);
    expect(isOwned('pay', source('web', ALLOW, 'scopemesh:pay', { peer: 'east' }))).toBe(false);
  });
});

describe('a Description', () => {
  test.each(['web', 'a b', 'x client=main/admin', 'web\nscopemesh:pay', 'a/b', '%2F', 'ü', '__proto__', '='])(
    'names the client %j and no other',
    (clientId) => {
      const text = describeSource('pay', { provider: 'main', clientId });
      expect(clientOfDescription(text)).toEqual({ provider: 'main', clientId });
      expect(text.match(/ client=/g)).toHaveLength(1);
      expect(text).toMatch(/^[\x20-\x7e]{1,512}$/);
    },
  );

  test('of a client whose id is too long for Consul is the mark alone', () => {
    expect(describeSource('pay', { provider: 'main', clientId: 'x'.repeat(600) })).toBe('scopemesh:pay');
    expect(clientOfDescription('scopemesh:pay')).toBeUndefined();
  });

  test('with a broken percent sign names nobody', () => {
    expect(clientOfDescription('scopemesh:pay client=main/%zz')).toBeUndefined();
  });

  test('can be written for a client id that is not valid Unicode', () => {
    expect(describeSource('pay', { provider: 'main', clientId: '\ud800' })).toContain('client=main/');
  });
});

test.each(['external-source', 'consul.hashicorp.com/source-datacenter'])(
  'an entry with Meta %s is managed elsewhere, even with an empty value',
  (key) => {
    expect(isManagedElsewhere({ ...entry('orders'), meta: { [key]: '' } })).toBe(true);
    expect(isManagedElsewhere(entry('orders'))).toBe(false);
  },
);

test('two names that differ in case are suspiciously alike, but not the same source', () => {
  expect(caselessText(named('Web'))).toBe(caselessText(named('web')));
  expect(isSourceOf(named('Web'), named('web'))).toBe(false);
  expect(isSourceOf(named('web'), named('web'))).toBe(true);
});

test('a source of another name, namespace or partition is neither the same nor alike', () => {
  const web = named('web');
  for (const other of [named('api'), { ...web, namespace: 'team' }, { ...web, partition: 'east' }]) {
    expect(isSourceOf(other, web)).toBe(false);
    expect(caselessText(other)).not.toBe(caselessText(web));
  }
});
