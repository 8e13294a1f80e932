import { compareText } from '../model/compare-text.js';
import type { IntentionSource, ServiceName } from '../model/intention.js';
import { sourceOf } from './break-glass.js';
import { sourceOfDeny } from './deny.js';
import type { DestinationInput } from './destination-input.js';
import { wasWritten } from './foreign-source.js';
import { parseLastAppliedText } from './last-applied.js';
import { missingDenies } from './missing-denies.js';
import { isOwned, isOwnedHere } from './ownership.js';
import { intentionSubject } from './plan.js';
import { serviceText } from './world.js';

/**
 * Every service that should have access here, has a source here that is owned or lost its mark, or lost its source to a wider
 * intention; sorted by name.
 */
export function edgeSources(input: DestinationInput): readonly ServiceName[] {
  const found = new Map<string, ServiceName>();
  const at = { ...input.destination, name: input.destination.name.toLowerCase() };
  for (const [key, serviceName] of input.sourcesByDestination.get(serviceText(at))?.services ?? [])
    found.set(key, serviceName);
  for (const source of input.entry?.sources ?? []) {
    if (isOwnedHere(input.mapping, source) || hasLostMark(source, input)) {
      const name = { partition: source.partition, namespace: source.namespace, name: source.name };
      found.set(serviceText(name), name);
    }
  }
  for (const source of missingDenies(input)) found.set(serviceText(source), source);
  for (const each of input.breakGlass.grants) found.set(serviceText(sourceOf(each)), sourceOf(each));
  for (const each of input.denies.rulings) found.set(serviceText(sourceOfDeny(each)), sourceOfDeny(each));
  return [...found.values()].toSorted((a, b) => compareText(serviceText(a), serviceText(b)));
}

function hasLostMark(
  source: IntentionSource,
  { destination, mapping, lastApplied }: DestinationInput,
): boolean {
  if (source.peer !== undefined || lastApplied.size === 0) return false;
  // The mark is there, and its client is outside the selection.
  if (isOwned(mapping.owner, source)) return false;
  return wasWritten(parseLastAppliedText(lastApplied.get(intentionSubject(destination, source.name))));
}
