import type { IntentionEntry, IntentionSource, ServiceName } from '../model/intention.js';
import { isRecord } from '../model/is-record.js';
import { isComputedField } from './content.js';
import { incomplete, type Raw, Reader } from './reader.js';
import { parseAccess } from './source-access.js';

/**
 * Parses a service-intentions entry of Consul's API. Throws ERR_CONSUL_INCOMPLETE for anything else, and for an entry that
 * JSON.parse and JSON.stringify would change, because it could not be written back.
 */
export function parseEntry(value: unknown, operation: string): IntentionEntry {
  const reader = new Reader(operation);
  const raw = reader.record(value);
  const destination = parseDestination(raw, reader, operation);
  const { name } = destination;
  for (const [field, content] of Object.entries(raw)) {
    if (!isComputedField(field) && !isLossless(content)) {
      throw incomplete(
        operation,
        `the entry ${JSON.stringify(name)} has a number that JavaScript cannot represent`,
      );
    }
  }
  return {
    destination,
    sources: reader.list(raw.Sources).map((source) => parseSource(reader.record(source), reader)),
    meta: reader.textMap(raw.Meta),
    modifyIndex: reader.index(raw.ModifyIndex),
    raw,
  };
}

/** An entry whose content cannot be read: its name and its index. Throws as `parseEntry` does without them. */
export function parseUnreadableEntry(raw: Raw, unreadable: string, operation: string): IntentionEntry {
  const reader = new Reader(operation);
  const destination = parseDestination(raw, reader, operation);
  return { destination, sources: [], meta: {}, modifyIndex: reader.index(raw.ModifyIndex), raw, unreadable };
}

function parseDestination(raw: Raw, reader: Reader, operation: string): ServiceName {
  if (raw.Kind !== 'service-intentions') throw incomplete(operation, 'an entry of another kind');
  return {
    partition: reader.optionalText(raw.Partition) || 'default',
    namespace: reader.optionalText(raw.Namespace) || 'default',
    name: reader.name(raw.Name),
  };
}

function parseSource(raw: Raw, reader: Reader): IntentionSource {
  const peer = reader.optionalText(raw.Peer) || reader.optionalText(raw.SamenessGroup);
  return {
    name: reader.text(raw.Name),
    namespace: reader.optionalText(raw.Namespace) || 'default',
    partition: reader.optionalText(raw.Partition) || 'default',
    ...(peer === '' ? {} : { peer }),
    description: reader.optionalText(raw.Description),
    access: parseAccess(raw),
    isLegacy: isLegacy(raw),
    raw,
  };
}

/** Created by the old intentions API: it has a LegacyID or another Legacy field. */
function isLegacy(raw: Raw): boolean {
  const isSet = (value: unknown) => value !== undefined && value !== null && value !== '';
  const isTime = (value: unknown) =>
    isSet(value) && !(typeof value === 'string' && value.startsWith('0001-01-01T'));
  const { LegacyID, LegacyMeta, LegacyCreateTime, LegacyUpdateTime } = raw;
  return isSet(LegacyID) || isSet(LegacyMeta) || isTime(LegacyCreateTime) || isTime(LegacyUpdateTime);
}

function isLossless(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (Array.isArray(value)) return value.every(isLossless);
  return isRecord(value) ? Object.values(value).every(isLossless) : true;
}
