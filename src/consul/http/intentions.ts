import { messageOf, SyncError } from '../../errors.js';
import type { IntentionEntry, IntentionSource, NewSource, ServiceName } from '../../model/intention.js';
import type { Intentions } from '../consul.js';
import { withoutComputed } from '../content.js';
import { parseEntry, parseUnreadableEntry } from '../parse-entry.js';
import { incomplete, type Raw } from '../reader.js';
import { toWireSource } from '../source-access.js';
import { type Listed, parseVerdict, readElements, toListed } from './answer.js';
import type { IndexGuard } from './index-guard.js';
import { type JsonElement, OMITTED } from './json-elements.js';
import { toNameQuery, toPathName, toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';
import { type Found, toUnreadable, type UnreadableEntries } from './unreadable-entries.js';

const KIND = 'service-intentions';
const WRITTEN = { kind: 'written' } as const;
const CONFLICT = { kind: 'conflict' } as const;

export function createIntentions(
  transport: Transport,
  guard: IndexGuard,
  unreadable: UnreadableEntries,
): Intentions {
  const read = async (destination: ServiceName, signal: AbortSignal): Promise<IntentionEntry | undefined> => {
    const operation = 'intentions.read';
    const path = `/v1/config/${KIND}/${toPathName(destination.name)}`;
    const query = { ...toNameQuery(destination, transport.tenancy), consistent: '' };
    const found: Listed[] = [];
    const each = (element: JsonElement) => found.push(toListed(element, operation));
    const request = { operation, path, query } as const;
    const answer = await readElements(transport, request, { form: 'value', each }, signal, [200, 404]);
    if (answer.status === 200) {
      const [only] = found;
      const entry = only && parseListedEntry(only, operation).entry;
      if (entry === undefined) throw incomplete(operation, 'the answer is no entry');
      return entry;
    }
    // A 404 that does not mention the entry does not come from Consul.
    if (new TextDecoder().decode(answer.body.subarray(0, 30)).startsWith('Config entry not found')) {
      return undefined;
    }
    throw incomplete(operation, 'answered 404 without saying that there is no such entry');
  };

  return {
    async list(signal) {
      const operation = 'intentions.list';
      const query = { ...toTenancyQuery(transport.tenancy), consistent: '' };
      const entries: IntentionEntry[] = [];
      const unread: Found[] = [];
      const each = (element: JsonElement) => {
        const { entry, found } = parseListedEntry(toListed(element, operation), operation);
        if (found !== undefined) unread.push(found);
        if (entry !== undefined) entries.push(entry);
      };
      const request = { operation, path: `/v1/config/${KIND}`, query } as const;
      const answer = await readElements(transport, request, { form: 'array', each }, signal);
      if (answer.isNull) throw incomplete(operation, 'the answer is not a list');
      guard.check(operation, answer.index);
      unreadable.put(KIND, operation, unread);
      return entries;
    },

    read,

    async write(destination, current, sources, expectedIndex, signal) {
      const operation = 'intentions.write';
      toPathName(destination.name);
      const query = { ...toNameQuery(destination, transport.tenancy), cas: String(expectedIndex) };
      const body = toBody(destination, current, sources);
      const request = { operation, method: 'PUT', path: '/v1/config', query, body } as const;
      return parseVerdict(await transport.send(request, signal), operation) ? WRITTEN : CONFLICT;
    },

    async delete(destination, expectedIndex, signal) {
      const operation = 'intentions.delete';
      const path = `/v1/config/${KIND}/${toPathName(destination.name)}`;
      const query = { ...toNameQuery(destination, transport.tenancy), cas: String(expectedIndex) };
      const answer = await transport.send({ operation, method: 'DELETE', path, query }, signal);
      return parseVerdict(answer, operation) ? WRITTEN : CONFLICT;
    },

    sizeOf: (destination, current, sources) => Buffer.byteLength(toBody(destination, current, sources)),
  };
}

/**
 * One entry, which is unreadable by itself if it is too large or its content cannot be written back. Throws if it does not
 * show whose it is. No entry: its name is too long for any service.
 */
function parseListedEntry(
  listed: Listed,
  operation: Operation,
): { readonly entry?: IntentionEntry; readonly found?: Found } {
  const { raw, size } = listed;
  try {
    if (size === undefined) return { entry: parseEntry(raw, operation) };
  } catch (error) {
    if (!(error instanceof SyncError) || typeof raw.Name !== 'string') throw error;
    return unreadableEntry(raw, operation, { name: raw.Name, why: messageOf(error) });
  }
  if (raw.Name === OMITTED) return { found: { name: '(a long name)', size } };
  return unreadableEntry(raw, operation, { name: String(raw.Name), size });
}

function unreadableEntry(raw: Raw, operation: Operation, found: Found) {
  const { detail } = toUnreadable(KIND, found);
  return { entry: parseUnreadableEntry(raw, detail, operation), found };
}

/** All fields of the base as read, except the sources, so that unknown fields stay. */
function toBody(
  destination: ServiceName,
  current: IntentionEntry | undefined,
  sources: readonly (IntentionSource | NewSource)[],
): string {
  const fields = current === undefined ? toNewFields(destination) : withoutComputed(current.raw);
  return JSON.stringify({
    ...fields,
    Sources: sources.map(toWireSource),
  });
}

function toNewFields(destination: ServiceName): Raw {
  const { partition, namespace, name } = destination;
  return {
    Kind: KIND,
    Name: name,
    ...(partition === 'default' ? {} : { Partition: partition }),
    ...(namespace === 'default' ? {} : { Namespace: namespace }),
  };
}
