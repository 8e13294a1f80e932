import type { ExistingJwtProvider, JwtProviderEntry } from '../../src/model/jwt-provider.js';
import type { UserTokenFacts } from '../../src/plan/destination-input.js';
import { ISSUER } from '../acl/plan/acl-scene.js';

export const NAME = 'scopemesh-pay-main-_users';
export const KEYS = `${ISSUER}/certs`;
/** As scopemesh writes it. */
export const ENTRY: JwtProviderEntry = {
  name: NAME,
  issuer: ISSUER,
  audiences: ['consul'],
  jwksUri: KEYS,
  meta: { scopemesh: 'scopemesh:pay', 'scopemesh-provider': 'main' },
};

export const existing = (changes: Partial<ExistingJwtProvider> = {}): ExistingJwtProvider => ({
  name: NAME,
  meta: ENTRY.meta,
  content: ENTRY,
  modifyIndex: 3,
  ...changes,
});

export const facts = (...entries: readonly ExistingJwtProvider[]): UserTokenFacts => ({
  consulVersion: '1.16.1',
  laxAgents: [],
  jwksUris: new Map([['main', KEYS]]),
  entries: new Map(entries.map((each) => [each.name.toLowerCase(), each])),
  behindGateways: new Set(),
});
