import type { Access, IntentionEntry, IntentionSource, ServiceName } from '../model/intention.js';
import { isSourceOf } from './ownership.js';

/**
 * Consul applies only the most exact intention (its precedence 9 to 5). These are the wider ones that would decide
 * about a source at a destination if its exact source were gone, most exact first:
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

/** What would take over if the exact source were gone; undefined means the mesh's default policy. */
export function takesOver(
  source: ServiceName,
  exact: IntentionEntry | undefined,
  wildcard: IntentionEntry | undefined,
): IntentionSource | undefined {
  return widerSources(source, exact, wildcard)[0];
}

/** Whether a source lets anything at all through; content that is not understood counts as letting through. */
export function opens(access: Access | { readonly kind: 'other' }): boolean {
  return access.kind !== 'deny';
}
