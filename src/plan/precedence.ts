import type { Access, IntentionEntry, IntentionSource, ServiceName } from '../model/intention.js';
import { isSourceOf } from './ownership.js';

/**
 * Consul applies only the most exact intention (precedence 9 to 5). These are the wider intentions that would apply to a
 * source at a destination without the exact one, most exact first:
 * 8 `* -> destination`, 6 `source -> *`, 5 `* -> *`.
 */
function widerSources(
  source: ServiceName,
  exact: IntentionEntry | undefined,
  wildcard: IntentionEntry | undefined,
): readonly IntentionSource[] {
  const star: ServiceName = { ...source, name: '*' };
  const local = (entry: IntentionEntry | undefined) =>
    (entry?.sources ?? []).filter((each) => each.peer === undefined);
  return [
    ...local(exact).filter((each) => isSourceOf(each, star)),
    ...local(wildcard).filter((each) => isSourceOf(each, source)),
    ...local(wildcard).filter((each) => isSourceOf(each, star)),
  ];
}

/**
 * The entry with the sources alone that mean every service. `takesOver` finds the same in it. An owner of a destination can
 * put tens of thousands of sources into its entry, so nobody may search all of them once for each.
 */
export function wideSourcesOf(entry: IntentionEntry | undefined): IntentionEntry | undefined {
  return entry && { ...entry, sources: entry.sources.filter(({ name }) => name === '*') };
}

/** The intention that would apply without the exact source; undefined means the default policy of the mesh. */
export function takesOver(
  source: ServiceName,
  exact: IntentionEntry | undefined,
  wildcard: IntentionEntry | undefined,
): IntentionSource | undefined {
  return widerSources(source, exact, wildcard)[0];
}

/** Whether a source allows anything. Unknown content counts as allowing. */
export function opens(access: Access | { readonly kind: 'other' }): boolean {
  return access.kind !== 'deny';
}
