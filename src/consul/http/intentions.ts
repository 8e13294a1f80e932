import { messageOf } from '../../errors.js';
import type { IntentionEntry, IntentionSource, NewSource, ServiceName } from '../../model/intention.js';
import type { Logger } from '../../observe.js';
import type { Intentions, WriteResult } from '../consul.js';
import { incomplete, parseJson, parseVerdict, readComplete } from './answer.js';
import { isSameContent, withoutComputed } from './content.js';
import type { IndexGuard } from './index-guard.js';
import { createReader } from './json.js';
import { parseEntry } from './parse-entry.js';
import { type Tenancy, toNameQuery, toPathName, toTenancyQuery } from './place.js';
import { toRawSource } from './source-access.js';
import type { Transport } from './transport.js';

const KIND = 'service-intentions';
const CONFLICT = { kind: 'conflict' } as const;

export function createIntentions(
  transport: Transport,
  tenancy: Tenancy,
  guard: IndexGuard,
  logger: Logger,
): Intentions {
  const read = async (destination: ServiceName, signal: AbortSignal): Promise<IntentionEntry | undefined> => {
    const operation = 'intentions.read';
    const path = `/v1/config/${KIND}/${toPathName(destination.name)}`;
    const query = { ...toNameQuery(destination, tenancy), consistent: '' };
    const answer = await readComplete(transport, { operation, path, query }, signal, [200, 404]);
    if (answer.status === 200) return parseEntry(parseJson(answer.body, operation), operation);
    // A 404 that is not about the entry comes from something that is not Consul.
    if (new TextDecoder().decode(answer.body.subarray(0, 30)).startsWith('Config entry not found')) {
      return undefined;
    }
    throw incomplete(operation, 'answered 404 without saying that there is no such entry');
  };

  return {
    async list(signal) {
      const operation = 'intentions.list';
      const query = { ...toTenancyQuery(tenancy), consistent: '' };
      const answer = await readComplete(transport, { operation, path: `/v1/config/${KIND}`, query }, signal);
      guard.check(operation, answer.index);
      const entries = parseJson(answer.body, operation);
      if (!Array.isArray(entries)) throw incomplete(operation, 'the answer is not a list');
      return createReader(operation)
        .list(entries)
        .map((entry) => parseEntry(entry, operation));
    },

    read,

    async write(destination, base, sources, expectedIndex, signal) {
      const operation = 'intentions.write';
      toPathName(destination.name);
      const content = toContent(destination, base, sources);
      const query = { ...toNameQuery(destination, tenancy), cas: String(expectedIndex) };
      const body = JSON.stringify(content);
      const request = { operation, method: 'PUT', path: '/v1/config', query, body } as const;
      if (!parseVerdict(await transport.send(request, signal), operation)) return CONFLICT;
      // The answer was given, so the write is a fact, whatever becomes of reading it back.
      const after = await read(destination, signal).catch((error: unknown) => {
        logger.warn({ destination: destination.name, error: messageOf(error) }, 'consul write not read back');
        return null;
      });
      return judgeWrite(content, after, expectedIndex);
    },

    /**
     * `DELETE ?cas` answers true for an entry that is not there, so it is read first. What is removed by
     * somebody else between the two counts as deleted by us: it is gone either way. Index 0: there is no entry.
     */
    async delete(destination, expectedIndex, signal) {
      const operation = 'intentions.delete';
      const before = await read(destination, signal);
      if (before?.modifyIndex !== expectedIndex) return CONFLICT;
      const path = `/v1/config/${KIND}/${toPathName(destination.name)}`;
      const query = { ...toNameQuery(destination, tenancy), cas: String(expectedIndex) };
      const answer = await transport.send({ operation, method: 'DELETE', path, query }, signal);
      return parseVerdict(answer, operation) ? { kind: 'written', modifyIndex: 0 } : CONFLICT;
    },
  };
}

/** Every field of the base as it was read but for the sources, so that what scopemesh does not know stays. */
function toContent(
  destination: ServiceName,
  base: IntentionEntry | undefined,
  sources: readonly (IntentionSource | NewSource)[],
): Readonly<Record<string, unknown>> {
  const fields = base === undefined ? toNewFields(destination) : withoutComputed(base.raw);
  return {
    ...fields,
    Sources: sources.map((source) => ('raw' in source ? source.raw : toRawSource(source))),
  };
}

function toNewFields(destination: ServiceName): Readonly<Record<string, unknown>> {
  const { partition, namespace, name } = destination;
  return {
    Kind: KIND,
    Name: name,
    ...(partition === 'default' ? {} : { Partition: partition }),
    ...(namespace === 'default' ? {} : { Namespace: namespace }),
  };
}

/**
 * What `true` meant. Consul says it for a write, and for content that it has already, even with a stale index.
 * - The same content is there: written, with its index.
 * - Other content (or none, or an unreadable one) above our index: ours was the entry's content, and somebody
 *   wrote since. Written, with modifyIndex 0: no index that a next compare-and-set could take for ours.
 * - Other content at our index or below: nothing of ours is there or was. Conflict, plan again.
 */
function judgeWrite(
  content: Readonly<Record<string, unknown>>,
  after: IntentionEntry | undefined | null,
  expectedIndex: number,
): WriteResult {
  if (after === undefined || after === null) return { kind: 'written', modifyIndex: 0 };
  if (isSameContent(content, after.raw)) return { kind: 'written', modifyIndex: after.modifyIndex };
  return after.modifyIndex > expectedIndex ? { kind: 'written', modifyIndex: 0 } : CONFLICT;
}
