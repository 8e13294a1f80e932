import { describe, expect, it } from 'vitest';
import type { ExistingJwtProvider, JwtProviderEntry } from '../../src/model/jwt-provider.js';
import { UserTokens } from '../../src/state/user-tokens.js';

const entry = (name: string, issuer = 'i'): JwtProviderEntry => ({
  name,
  issuer,
  audiences: [],
  jwksUri: 'u',
  meta: { a: 'b' },
});
const existing = (name: string, issuer = 'i', modifyIndex = 1): ExistingJwtProvider => ({
  name,
  meta: { a: 'b' },
  content: entry(name, issuer),
  modifyIndex,
});
const tokens = () => {
  let changes = 0;
  const of = new UserTokens(() => changes++);
  return { of, changes: () => changes };
};
const issuers = ({ facts }: UserTokens) =>
  [...(facts.entries ?? [])].map(([key, { content }]) => [
    key,
    content === 'other' ? content : content.issuer,
  ]);

describe('the facts about tokens of users', () => {
  it('are the same object until something changes, and each change is reported once', () => {
    const { of, changes } = tokens();
    let reads = 0;
    const next = () => ++reads;
    of.drainChanged();
    const { facts } = of;
    for (const text of ['not a version', 'about 1.16', '1']) of.putVersion(text, [], next());
    of.putBehindGateways(undefined, next());
    expect([of.facts === facts, of.drainChanged(), changes()]).toEqual([true, undefined, 0]);
    of.putVersion('v1.16.1', [], next());
    of.putVersion('v1.16.1', [], next());
    expect([of.facts.consulVersion, of.drainChanged(), of.drainChanged(), changes()]).toEqual([
      'v1.16.1',
      facts,
      undefined,
      1,
    ]);
    for (const text of ['1.16.1', 'v10.0.0', 'v1.16.1']) {
      of.putVersion(text, undefined, next());
      expect(of.facts.consulVersion).toBe(text);
    }
    of.putVersion('v1.16.1', ['n1'], next());
    of.putVersion('v1.16.1', ['n2'], next());
    of.putJwksUri('main', 'u', next());
    of.putJwksUri('main', 'u', next());
    of.putBehindGateways(new Set(['b', 'a']), next());
    of.putBehindGateways(new Set(['a', 'b']), next());
    of.putBehindGateways(new Set(['a']), next());
    expect(changes()).toBe(9);
    expect(of.facts.jwksUris.get('main')).toBe('u');
  });

  it('are never those of an older read', () => {
    const { of, changes } = tokens();
    of.putVersion('v1.16.1', ['n1'], 4);
    of.putJwksUri('main', 'new', 5);
    of.putBehindGateways(new Set(['vault']), 6);
    const { facts } = of;
    of.putVersion('v1.16.1', [], 3);
    of.putJwksUri('main', 'old', 4);
    of.putBehindGateways(new Set(), 5);
    of.putBehindGateways(undefined, 2);
    expect([of.facts, changes()]).toEqual([facts, 3]);
    of.putJwksUri('extra', 'old', 1);
    of.putBehindGateways(undefined, 7);
    expect(of.facts).toMatchObject({
      jwksUris: new Map([
        ['main', 'new'],
        ['extra', 'old'],
      ]),
      behindGateways: undefined,
    });
  });
});

describe('the jwt-providers as last read', () => {
  it('are found by their names in lower case, and are gone when a list lacks them', () => {
    const { of, changes } = tokens();
    expect(of.facts.entries).toBeUndefined();
    of.putEntries([], 1);
    expect([of.facts.entries?.size, changes()]).toEqual([0, 1]);
    of.putEntries([existing('A')], 2);
    expect(issuers(of)).toEqual([['a', 'i']]);
    of.putEntries([], 3);
    expect(issuers(of)).toEqual([]);
  });

  it('keep a write that is newer than a list, and a list that is newer than another', () => {
    const { of } = tokens();
    of.putEntries([existing('a', 'old')], 1);
    of.putEntry('A', entry('a', 'new'), 7, 5);
    of.putEntries([existing('a', 'old'), existing('b')], 4);
    expect(issuers(of)).toEqual([
      ['a', 'new'],
      ['b', 'i'],
    ]);
    of.putEntry('b', undefined, 0, 9);
    of.putEntries([existing('a', 'new'), existing('b')], 8);
    expect(issuers(of)).toEqual([['a', 'new']]);
    of.putEntries([], 3);
    of.putEntry('a', undefined, 0, 4);
    expect(issuers(of)).toEqual([['a', 'new']]);
    expect(of.facts.entries?.get('a')).toMatchObject({ name: 'a', meta: { a: 'b' } });
  });

  it('are assumed for one plan only, also if that fails', () => {
    const { of, changes } = tokens();
    of.putEntries([existing('a')], 1);
    const { facts } = of;
    expect(of.assuming([entry('b', 'x')], () => issuers(of))).toEqual([
      ['a', 'i'],
      ['b', 'x'],
    ]);
    expect(() =>
      of.assuming([entry('b')], () => {
        throw new Error('no');
      }),
    ).toThrow('no');
    expect([of.facts === facts, changes()]).toEqual([true, 1]);
  });
});

describe('a key that waits for a jwt-provider', () => {
  it('begins to wait once, until it waits no more', () => {
    const { of } = tokens();
    expect([of.beginsToWait('k', false), [...of.waiting]]).toEqual([false, []]);
    expect([of.beginsToWait('k', true), [...of.waiting]]).toEqual([true, ['k']]);
    expect(of.beginsToWait('k', true)).toBe(false);
    expect([of.beginsToWait('k', false), [...of.waiting]]).toEqual([false, []]);
    expect(of.beginsToWait('k', true)).toBe(true);
  });
});
