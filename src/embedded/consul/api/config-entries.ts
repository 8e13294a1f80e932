import { isRecord } from '../../../model/is-record.js';
import { type JsonObject, parseJsonBody } from '../body.js';
import type { Call, Route } from '../call.js';
import { type EntryKind, entryKey } from '../entries/entry-kind.js';
import { requireProviders } from '../entries/jwt-provider.js';
import { requireProtocols } from '../entries/protocol.js';
import {
  badRequest,
  ConsulFailure,
  type ConsulReply,
  joinErrors,
  quoted,
  serverFailure,
} from '../exchange.js';
import { readable } from '../query.js';
import type { ServerContext } from '../server-context.js';
import { type Decoded, decodeShape, ShapeError } from '../shape.js';
import { type ConfigEntryRow, isSameContent } from '../state/rows.js';
import type { StateStore, WriteTransaction } from '../state/state-store.js';

const table = 'config-entries';

export const configEntryRoutes: readonly Route[] = [
  { path: '/v1/config', methods: { PUT: applyEntry } },
  { path: '/v1/config/', methods: { GET: readEntries, DELETE: deleteEntry } },
];

function readEntries(call: Call): Promise<ConsulReply> {
  const slash = call.rest.indexOf('/');
  return slash < 0
    ? listEntries(call, call.rest)
    : readEntry(call, call.rest.slice(0, slash), call.rest.slice(slash + 1));
}

function listEntries(call: Call, kindName: string): Promise<ConsulReply> {
  const authorizer = call.authorize();
  const kind = kindName === '' ? undefined : kindOr(call.context, kindName, serverFailure);
  return call.answer((watch) => {
    watch.table(table);
    const rows = call.store.list(table, kind === undefined ? '' : `${kind.kind}/`);
    const { value, filtered } = readable(
      rows,
      (row) => call.context.entryKinds.get(row.Kind)?.canRead(authorizer, row.Name) === true,
    );
    return {
      index: call.store.indexOf(table),
      value: value.map(shown),
      filtered,
      absent: value.length === 0,
      fingerprint: JSON.stringify(value),
    };
  });
}

function readEntry(call: Call, kindName: string, name: string): Promise<ConsulReply> {
  const authorizer = call.authorize();
  const kind = kindOr(call.context, kindName, serverFailure);
  kind.requireRead(authorizer, name);
  const key = entryKey(kindName, name);
  const missing = `Config entry not found for ${quoted(kindName)} / ${quoted(name)}`;
  return call.answerOr(
    (watch) => {
      const row = call.store.get(table, key);
      watch.lookup(table, key, row);
      return { index: call.store.indexOf(table), value: row && shown(row), absent: row === undefined };
    },
    404,
    missing,
  );
}

/** Answers do not show an empty Meta, although a write that compares entries distinguishes it from an absent one. */
function shown(row: ConfigEntryRow): JsonObject {
  const { Meta: meta, ...rest } = row;
  return isRecord(meta) && Object.keys(meta).length === 0 ? rest : row;
}

function applyEntry(call: Call): ConsulReply {
  const raw = parseJsonBody(call.request.body, 'Request decoding failed');
  const { kind, entry } = decodeEntry(call.context, raw);
  const cas = casOf(call);
  const authorizer = call.authorize();
  const normalized = kind.normalize(entry);
  kind.validate(normalized);
  kind.requireWrite(authorizer, String(normalized.Name));
  return call.json(putEntry(call.store, kind, normalized, cas));
}

/** Stores a normalized entry. False where `cas` is stale; an equal entry is not written and answers true. */
function putEntry(store: StateStore, kind: EntryKind, entry: Decoded, cas: number | undefined): boolean {
  const name = String(entry.Name);
  const key = entryKey(kind.kind, name);
  const current = store.get(table, key);
  if (current !== undefined && isSameContent(current, entry)) return true;
  return store.write((transaction) => {
    if (cas !== undefined && cas !== (current?.ModifyIndex ?? 0)) return false;
    requireConsistent(transaction, kind.kind, name, entry);
    const indexes = transaction.stamp(table, key);
    transaction.put(table, key, { ...entry, Kind: kind.kind, Name: name, ...indexes });
    return true;
  });
}

/** Throws where the other entries forbid the write, or (without `entry`) the removal. */
function requireConsistent(transaction: WriteTransaction, kind: string, name: string, entry?: Decoded): void {
  const entries = transaction.list(table);
  requireProviders(entries, kind, name, entry);
  requireProtocols(entries, kind, name, entry);
}

function deleteEntry(call: Call): ConsulReply {
  const slash = call.rest.indexOf('/');
  if (slash < 0) throw new ConsulFailure(404, 'Must provide both a kind and name to delete');
  const kind = kindOr(call.context, call.rest.slice(0, slash), badRequest);
  const cas = casOf(call);
  const authorizer = call.authorize();
  const name = String(kind.normalize({ Kind: kind.kind, Name: call.rest.slice(slash + 1) }).Name);
  kind.requireWrite(authorizer, name);
  const current = call.store.get(table, entryKey(kind.kind, name));
  if (current === undefined) return call.json(cas === undefined ? {} : true);
  const isDeleted = call.store.write((transaction) => {
    if (cas !== undefined && cas !== current.ModifyIndex) return false;
    requireConsistent(transaction, kind.kind, name);
    transaction.remove(table, entryKey(kind.kind, name));
    return true;
  });
  return call.json(cas === undefined ? {} : isDeleted);
}

function decodeEntry(context: ServerContext, body: unknown): { kind: EntryKind; entry: Decoded } {
  const fail = (why: string) => badRequest(`Request decoding failed: ${why}`);
  if (!isRecord(body)) throw fail(`'' expected a map, got '${Array.isArray(body) ? 'slice' : typeof body}'`);
  const kindName = Object.hasOwn(body, 'Kind') ? body.Kind : body.kind;
  if (kindName === undefined) throw fail('Payload does not contain a kind/Kind key at the top level');
  if (typeof kindName !== 'string') throw fail('Kind value in payload is not a string');
  const kind = context.entryKinds.get(kindName);
  if (kind === undefined) throw fail(`invalid config entry kind: ${kindName}`);
  const unused: string[] = [];
  let entry: Decoded;
  try {
    entry = decodeShape(kind.shape, body, '', unused);
  } catch (error) {
    if (error instanceof ShapeError) throw fail(`1 error(s) decoding:\n\n* ${error.message}`);
    throw error;
  }
  const refused = unused.filter((key) => key !== 'CreateIndex' && key !== 'ModifyIndex').map(unusedKeyError);
  if (refused.length > 0) throw fail(joinErrors(refused));
  return { kind, entry };
}

function unusedKeyError(key: string): string {
  const text = `invalid config key ${quoted(key)}`;
  return key.toLowerCase().endsWith('namespace')
    ? `${text}, namespaces are a consul enterprise feature`
    : text;
}

function kindOr(context: ServerContext, name: string, failure: (text: string) => ConsulFailure): EntryKind {
  const kind = context.entryKinds.get(name);
  if (kind === undefined) throw failure(`invalid config entry kind: ${name}`);
  return kind;
}

function casOf(call: Call): number | undefined {
  return call.parameter('cas') === '' ? undefined : call.numberParameter('cas');
}
