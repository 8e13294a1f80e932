import { BROKEN_MANIFEST, type IntentionEntry, type ServiceName } from '../../model/intention.js';
import type { BrokenFile } from './broken-file.js';
import { destinationOfFile } from './own-entries.js';

/**
 * The entry in Consul, or one without sources, which every plan holds for this reason. Undefined if Consul has none and the
 * file's name does not tell the destination.
 */
export function toHeldEntry(
  { name, why }: BrokenFile,
  inConsul: IntentionEntry | undefined,
  destination: ServiceName | undefined = destinationOfFile(name),
): IntentionEntry | undefined {
  const entry = inConsul ?? (destination && toEmptyEntry(destination));
  return entry && { ...entry, meta: { ...entry.meta, 'external-source': `${BROKEN_MANIFEST}${why}` } };
}

function toEmptyEntry(destination: ServiceName): IntentionEntry {
  const raw = { Kind: 'service-intentions', Name: destination.name, Sources: [] };
  return { destination, sources: [], meta: {}, modifyIndex: 0, raw };
}
