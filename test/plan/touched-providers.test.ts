import { describe, expect, test } from 'vitest';
import type { ExistingJwtProvider } from '../../src/model/jwt-provider.js';
import { NO_USER_TOKEN_FACTS, type UserTokenFacts } from '../../src/plan/destination-input.js';
import { touchedProviders } from '../../src/plan/touched-providers.js';
import { ENTRY, existing, facts, KEYS } from './user-token-scene.js';

const KNOWN = facts(existing());
const touched = (changes: Partial<UserTokenFacts>, before = KNOWN) =>
  touchedProviders(before, { ...KNOWN, ...changes }, { owner: 'pay', providers: ['main', 'extra'] });
const entries = (...all: readonly ExistingJwtProvider[]) => ({ entries: facts(...all).entries });

describe('a change of what is known about tokens of users touches', () => {
  test.each<[string, Partial<UserTokenFacts>]>([
    ['a version', { consulVersion: '1.18.0' }],
    ['the agents', { laxAgents: ['1.15.3'] }],
    ['the gateways', { behindGateways: undefined }],
    ['jwt-providers that cannot be read', { entries: undefined }],
  ])('every provider: %s', (_, changes) => {
    expect(touched(changes)).toEqual(['main', 'extra']);
    expect(touched({}, NO_USER_TOKEN_FACTS)).toEqual(['main', 'extra']);
  });

  test('one provider: its keys, or its entry', () => {
    expect(touched({ jwksUris: new Map([['main', 'https://elsewhere']]) })).toEqual(['main']);
    const jwksUris = new Map([...KNOWN.jwksUris, ['extra', KEYS]]);
    expect(touched({ jwksUris })).toEqual(['extra']);
    expect(touched(entries())).toEqual(['main']);
    expect(touched(entries(existing({ meta: {} })))).toEqual(['main']);
    expect(touched(entries(existing({ name: ENTRY.name.toUpperCase() })))).toEqual(['main']);
    expect(touched(entries(existing({ content: { ...ENTRY, issuer: 'i' } })))).toEqual(['main']);
  });

  test('a provider that is no longer configured: an entry of ours', () => {
    const name = 'scopemesh-pay-old-_users';
    const meta = { ...ENTRY.meta, 'scopemesh-provider': 'old' };
    expect(touched(entries(existing(), existing({ name, meta })))).toEqual(['old']);
  });

  test('nobody: an entry of others, or an index alone', () => {
    expect(touched(entries(existing(), existing({ name: 'theirs', meta: {} })))).toEqual([]);
    expect(touched(entries(existing({ modifyIndex: 9 })))).toEqual([]);
    expect(touched({})).toEqual([]);
  });
});
