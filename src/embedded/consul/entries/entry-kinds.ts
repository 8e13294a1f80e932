import { proxyDefaults, proxyDefaultsWithLogs, serviceDefaults } from './defaults.js';
import type { EntryKind } from './entry-kind.js';
import { jwtProvider } from './jwt-provider.js';
import { serviceResolver, serviceRouter, serviceSplitter, terminatingGateway } from './routing.js';
import { serviceIntentions, serviceIntentionsWithJwt } from './service-intentions.js';

const OTHERS = [serviceDefaults, serviceResolver, serviceSplitter, serviceRouter, terminatingGateway];

/** The kinds of entries that a Consul of this version has. */
export function entryKindsOf(version: string): ReadonlyMap<string, EntryKind> {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isAtLeast = (least: number) => major > 1 || (major === 1 && minor >= least);
  const kinds = isAtLeast(16) ? [serviceIntentionsWithJwt, jwtProvider] : [serviceIntentions];
  const defaults = isAtLeast(15) ? proxyDefaultsWithLogs : proxyDefaults;
  return new Map([...kinds, defaults, ...OTHERS].map((kind) => [kind.kind, kind]));
}
