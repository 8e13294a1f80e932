import type { IntentionEntry } from '../model/intention.js';
import { isManagedElsewhere } from './ownership.js';

/** Why nothing of an entry may be written. */
export function entryBlock(
  entry: IntentionEntry,
): { readonly reason: 'ManagedElsewhere' | 'LegacyEntry'; readonly detail: string } | undefined {
  if (isManagedElsewhere(entry)) {
    return {
      reason: 'ManagedElsewhere',
      detail:
        'another tool manages this entry, as its Meta shows; remove the intention from that tool, or add the destination to guards.protected',
    };
  }
  if (entry.sources.some((source) => source.isLegacy)) {
    return {
      reason: 'LegacyEntry',
      detail:
        "the entry has sources that Consul's old intentions API created, and they cannot be written back unchanged; create them again as a config entry",
    };
  }
  return undefined;
}
