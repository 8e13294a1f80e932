import { proxyDefaults, serviceDefaults } from './defaults.js';
import type { EntryKind } from './entry-kind.js';
import { jwtProvider } from './jwt-provider.js';
import { serviceIntentions, serviceIntentionsWithJwt } from './service-intentions.js';

/** The kinds of entries that a Consul of this version has. */
export function entryKindsOf(version: string): ReadonlyMap<string, EntryKind> {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const hasJwt = major > 1 || (major === 1 && minor >= 16);
  const kinds = hasJwt ? [serviceIntentionsWithJwt, jwtProvider] : [serviceIntentions];
  return new Map([...kinds, serviceDefaults, proxyDefaults].map((kind) => [kind.kind, kind]));
}
