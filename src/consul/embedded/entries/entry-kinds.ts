import { proxyDefaults, serviceDefaults } from './defaults.js';
import type { EntryKind } from './entry-kind.js';
import { serviceIntentions } from './service-intentions.js';

/** The kinds served; another one is an invalid kind. jwt-provider will join here. */
export const entryKinds: ReadonlyMap<string, EntryKind> = new Map(
  [serviceIntentions, serviceDefaults, proxyDefaults].map((kind) => [kind.kind, kind]),
);
