import { proxyDefaults, proxyDefaultsWithLogs, serviceDefaults } from './defaults.js';
import type { EntryKind } from './entry-kind.js';
import { jwtProvider } from './jwt-provider.js';
import {
  apiGateway,
  httpRoute,
  ingressGateway,
  serviceResolver,
  serviceRouter,
  serviceSplitter,
  tcpRoute,
  terminatingGateway,
} from './routing.js';
import { serviceIntentions, serviceIntentionsWithJwt } from './service-intentions.js';

const OTHERS = [
  serviceDefaults,
  serviceResolver,
  serviceSplitter,
  serviceRouter,
  terminatingGateway,
  ingressGateway,
];

const SINCE_1_15 = [apiGateway, httpRoute, tcpRoute];

/** The kinds of entries that a Consul of this version has. */
export function entryKindsOf(version: string): ReadonlyMap<string, EntryKind> {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isSince = (least: number) => major > 1 || (major === 1 && minor >= least);
  const kinds = isSince(16) ? [serviceIntentionsWithJwt, jwtProvider] : [serviceIntentions];
  const newer = isSince(15) ? [proxyDefaultsWithLogs, ...SINCE_1_15] : [proxyDefaults];
  return new Map([...kinds, ...newer, ...OTHERS].map((kind) => [kind.kind, kind]));
}
