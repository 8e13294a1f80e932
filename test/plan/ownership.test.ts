import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  caselessText,
  clientOfDescription,
  describeSource,
  isManagedElsewhere,
  isOwned,
  isOwnedDescription,
  isSourceOf,
  roomForText,
  textOfDescription,
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

describe('the text of an adopted source', () => {
  const bits = fc.constantFrom(
    ' ',
    ' client=',
    'client=main/admin',
    ' text=',
    '\n',
    '%',
    '%2',
    '\ud800',
    'é',
    '"',
  );
  const hostile = fc
    .array(fc.oneof(bits, fc.string({ maxLength: 60 })), { maxLength: 12 })
    .map((all) => all.join(''));
  const clientId = fc.oneof(fc.constantFrom('web', 'x text=y', 'a/b client=c/d'), hostile);
  const bytesOf = (text: string) => Buffer.byteLength(text);

  test('comes back as it was and changes neither owner nor client, whatever it says', () => {
    fc.assert(
      fc.property(hostile, clientId, (text, id) => {
        const client = { provider: 'main', clientId: id };
        const plain = describeSource('pay', client);
        const marked = describeSource('pay', client, text);
        expect(textOfDescription(marked)).toBe(text.startsWith('scopemesh:') ? '' : text);
        expect([isOwnedDescription('pay', marked), isOwnedDescription('payments', marked)]).toEqual([
          true,
          false,
        ]);
        const isNamed = bytesOf(text) <= roomForText('pay', client);
        expect(clientOfDescription(marked)).toEqual(isNamed ? clientOfDescription(plain) : undefined);
        if (isNamed) expect(bytesOf(marked)).toBeLessThanOrEqual(512);
      }),
    );
  });

  test('that a person wrote into the mark is no client, and no mark of another instance', () => {
    const marked = (text: string) => `scopemesh:pay client=main/web text=${text}`;
    expect(clientOfDescription(marked('x client=main/admin'))).toEqual({ provider: 'main', clientId: 'web' });
    expect(clientOfDescription('scopemesh:pay text= client=main/admin')).toBeUndefined();
    expect(textOfDescription(marked('scopemesh:other client=main/web'))).toBe('');
    expect(textOfDescription(marked('first text=second'))).toBe('first text=second');
    expect(textOfDescription('scopemesh:pay client=main/web')).toBe('');
  });

  test('counts in bytes, and the client is left out if both do not fit', () => {
    const client = { provider: 'main', clientId: 'web' };
    const room = roomForText('pay', client);
    expect(bytesOf(describeSource('pay', client, 'x'.repeat(room)))).toBe(512);
    const text = 'é'.repeat(Math.floor(room / 2) + 1);
    expect(describeSource('pay', client, text)).toBe(`scopemesh:pay text=${text}`);
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
