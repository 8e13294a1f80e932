import type { Grant } from '../model/client.js';
import { compareText } from '../model/compare-text.js';
import type { Mapping } from '../model/rule.js';
import { classify, mayUseScope } from '../plan/actor.js';
import { createPatternCompiler } from '../plan/pattern.js';
import { serviceText } from '../plan/world.js';
import type { Claimant } from './callers.js';
import { scopeText } from './proposal.js';

/** A scope, and the services that gain by a rule that matches it. */
export interface HeldScope {
  readonly provider: string;
  readonly scope: Grant;
  /** By `serviceText`, sorted. Not empty. */
  readonly services: readonly string[];
}

/** Every scope that a service may use by its client, sorted. A disabled client counts, since it may be enabled again. */
export function scopeHolders(claimants: readonly Claimant[], mapping: Mapping): readonly HeldScope[] {
  const compile = createPatternCompiler();
  const found = new Map<string, { provider: string; scope: Grant; services: Set<string> }>();
  for (const { service, client } of claimants) {
    const kind = classify(client, mapping, compile);
    for (const scope of client.grants) {
      if (!mayUseScope(kind, scope.name, mapping, compile)) continue;
      const { provider } = client;
      const key = scopeText({ provider, scope });
      const held = found.get(key) ?? { provider, scope, services: new Set() };
      held.services.add(serviceText(service));
      found.set(key, held);
    }
  }
  return [...found]
    .toSorted(([a], [b]) => compareText(a, b))
    .map(([, held]) => ({ ...held, services: [...held.services].toSorted(compareText) }));
}
