import type { HoldReason } from '../model/decision.js';
import { BROKEN_MANIFEST, type IntentionEntry, WITHOUT_MANIFEST } from '../model/intention.js';
import { toShellWord } from '../model/shell-word.js';
import { isManagedElsewhere } from './ownership.js';

export interface EntryBlock {
  readonly reason: Extract<HoldReason, 'EntryUnreadable' | 'ManagedElsewhere' | 'LegacyEntry'>;
  readonly detail: string;
}

/** Why nothing of an entry may be written. */
export function entryBlock(entry: IntentionEntry): EntryBlock | undefined {
  if (entry.unreadable !== undefined) return { reason: 'EntryUnreadable', detail: entry.unreadable };
  if (isManagedElsewhere(entry)) return { reason: 'ManagedElsewhere', detail: managedElsewhereText(entry) };
  if (entry.sources.some((source) => source.isLegacy)) {
    return {
      reason: 'LegacyEntry',
      detail:
        "the entry has sources that Consul's old intentions API created, and they cannot be written back unchanged; create them again as a config entry",
    };
  }
  return undefined;
}

/** What makes the entry instead of scopemesh, in a few words; undefined if nothing does. */
export function managedByText(entry: IntentionEntry): string | undefined {
  if (!isManagedElsewhere(entry)) return undefined;
  const externalSource = entry.meta['external-source'] ?? '';
  if (externalSource.startsWith(BROKEN_MANIFEST)) return 'its manifest cannot be read';
  switch (externalSource) {
    case 'kubernetes':
      return 'consul-k8s makes it from a ServiceIntentions resource';
    case WITHOUT_MANIFEST:
      return 'no manifest makes it';
    case '':
      return 'another tool manages it';
    default:
      return `${externalSource} manages it`;
  }
}

/** Who makes the entry, and what a person can do. */
function managedElsewhereText({ meta, destination }: IntentionEntry): string {
  const name = JSON.stringify(destination.name);
  const otherwise = 'or add the destination to guards.protected';
  const externalSource = meta['external-source'];
  if (externalSource?.startsWith(BROKEN_MANIFEST))
    return `${externalSource.slice(BROKEN_MANIFEST.length)}; nothing changes at this destination until then`;
  switch (externalSource) {
    case 'kubernetes':
      return `consul-k8s makes this entry from the ServiceIntentions resource whose spec.destination.name is ${name}, and writes it again after a change; delete that resource and let scopemesh write its own (consul.target), ${otherwise}`;
    case WITHOUT_MANIFEST:
      return `this entry in Consul has sources of others, and consul-k8s did not make it, so consul-k8s refuses a manifest for it; delete the entry, which also closes the sources of others (consul config delete -kind service-intentions -name ${toShellWord(destination.name)}), ${otherwise}`;
    default:
      return `another tool manages this entry, as its Meta shows; remove the intention from that tool, ${otherwise}`;
  }
}
