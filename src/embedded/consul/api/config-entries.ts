import { type EntryKind, entryKey } from '../entries/entry-kind.js';
import { requireProviders } from '../entries/jwt-provider.js';
import { requireProtocols } from '../entries/protocol.js';
import { type Decoded, decodeShape, ShapeError } from '../entries/shape.js';
import {
  badRequest,
  ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  jsonReply,
  serverFailure,
} from '../exchange.js';
import { joinErrors, quoted } from '../go-errors.js';
import { fieldOf, isJsonObject, type JsonObject, parseJsonBody } from '../json-body.js';
import { replyWithQuery, replyWithQueryOr404 } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import type { ConfigEntryRow } from '../state/rows.js';
import type { StateStore, WriteTransaction } from '../state/state-store.js';

const table = 'config-entries';

export const configEntryRoutes: readonly Route[] = [
  { path: '/v1/config', methods: { PUT: applyEntry } },
  { path: '/v1/config/', methods: { GET: readEntries, DELETE: deleteEntry } },
];

async function readEntries(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const rest = request.path.slice('/v1/config/'.length);
  const slash = rest.indexOf('/');
  return slash < 0
    ? listEntries(context, request, rest)
    : readEntry(context, request, rest.slice(0, slash), rest.slice(slash + 1));
}

function listEntries(context: ServerContext, request: ConsulRequest, kindName: string): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  const kind = kindName === '' ? undefined : kindOr(context, kindName, serverFailure);
  return replyWithQuery(context, request, (watch) => {
    watch.table(table);
    const rows = context.store.list(table, kind === undefined ? '' : `${kind.kind}/`);
    const readable = rows.filter(
      (row) => context.entryKinds.get(row.Kind)?.canRead(authorizer, row.Name) === true,
    );
    return {
      index: context.store.indexOf(table),
      value: readable.map(shown),
      filtered: readable.length < rows.length,
      absent: readable.length === 0,
      fingerprint: JSON.stringify(readable),
    };
  });
}

function readEntry(
  context: ServerContext,
  request: ConsulRequest,
  kindName: string,
  name: string,
): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  const kind = kindOr(context, kindName, serverFailure);
  kind.requireRead(authorizer, name);
  const key = entryKey(kindName, name);
  return replyWithQueryOr404(
    context,
    request,
    (watch) => {
      const row = context.store.get(table, key);
      // As in the radix tree: what is missing is watched by its neighbourhood, which may wake for nothing.
      if (row === undefined) watch.table(table);
      else watch.row(table, key);
      return { index: context.store.indexOf(table), value: row && shown(row), absent: row === undefined };
    },
    `Config entry not found for ${quoted(kindName)} / ${quoted(name)}`,
  );
}

/** An empty Meta is another entry than none, to a write that compares them; but it is not told. */
function shown(row: ConfigEntryRow): JsonObject {
  const { Meta: meta, ...rest } = row;
  return isJsonObject(meta) && Object.keys(meta).length === 0 ? rest : row;
}

function applyEntry(context: ServerContext, request: ConsulRequest): ConsulReply {
  const { kind, entry } = decodeEntry(context, parseJsonBody(request.body, 'Request decoding failed'));
  const cas = casOf(request);
  const authorizer = context.acl.authorize(request);
  const normalized = kind.normalize(entry);
  kind.validate(normalized);
  kind.requireWrite(authorizer, String(normalized.Name));
  return jsonReply(request, putEntry(context.store, kind, normalized, cas));
}

/** Stores a normalized entry. False where `cas` is stale; an equal entry is left alone and answers true. */
function putEntry(store: StateStore, kind: EntryKind, entry: Decoded, cas: number | undefined): boolean {
  const current = store.get(table, entryKey(kind.kind, String(entry.Name)));
  if (current !== undefined && isSameEntry(current, entry)) return true;
  return store.write((transaction) => {
    if (cas !== undefined && cas !== (current?.ModifyIndex ?? 0)) return false;
    storeEntry(transaction, kind, entry);
    return true;
  });
}

/** The write itself, also for those who come by the intentions API. Throws where protocols forbid it. */
export function storeEntry(transaction: WriteTransaction, kind: EntryKind, entry: Decoded): void {
  const name = String(entry.Name);
  const key = entryKey(kind.kind, name);
  const current = transaction.get(table, key);
  const merged =
    current === undefined || kind.updateOver === undefined ? entry : kind.updateOver(entry, current);
  requireProviders(transaction.list(table), kind.kind, name, merged);
  requireProtocols(transaction.list(table), kind.kind, name, merged);
  transaction.put(table, key, {
    ...merged,
    Kind: kind.kind,
    Name: name,
    CreateIndex: current?.CreateIndex ?? transaction.index,
    ModifyIndex: transaction.index,
  });
  transaction.touch(table);
}

/** Removes an entry, unless L7 intentions lean on it. */
export function removeEntry(transaction: WriteTransaction, kind: string, name: string): void {
  requireProviders(transaction.list(table), kind, name, undefined);
  requireProtocols(transaction.list(table), kind, name, undefined);
  transaction.remove(table, entryKey(kind, name));
  transaction.touch(table);
}

function deleteEntry(context: ServerContext, request: ConsulRequest): ConsulReply {
  const rest = request.path.slice('/v1/config/'.length);
  const slash = rest.indexOf('/');
  if (slash < 0) throw new ConsulFailure(404, 'Must provide both a kind and name to delete');
  const kind = kindOr(context, rest.slice(0, slash), badRequest);
  const cas = casOf(request);
  const authorizer = context.acl.authorize(request);
  const name = String(kind.normalize({ Kind: kind.kind, Name: rest.slice(slash + 1) }).Name);
  kind.requireWrite(authorizer, name);
  const current = context.store.get(table, entryKey(kind.kind, name));
  if (current === undefined) return jsonReply(request, cas === undefined ? {} : true);
  const isDeleted = context.store.write((transaction) => {
    if (cas !== undefined && cas !== current.ModifyIndex) return false;
    removeEntry(transaction, kind.kind, name);
    return true;
  });
  return jsonReply(request, cas === undefined ? {} : isDeleted);
}

function decodeEntry(context: ServerContext, body: unknown): { kind: EntryKind; entry: Decoded } {
  const fail = (why: string) => badRequest(`Request decoding failed: ${why}`);
  if (!isJsonObject(body))
    throw fail(`'' expected a map, got '${Array.isArray(body) ? 'slice' : typeof body}'`);
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

function casOf(request: ConsulRequest): number | undefined {
  const text = request.query.get('cas') ?? '';
  if (text === '') return undefined;
  if (!/^\d{1,20}$/.test(text))
    throw serverFailure(`strconv.ParseUint: parsing ${quoted(text)}: invalid syntax`);
  return Number(text);
}

/** Equal but for the indexes, which the writer does not choose. */
function isSameEntry(row: ConfigEntryRow, entry: JsonObject): boolean {
  const { CreateIndex: _created, ModifyIndex: _modified, ...content } = row;
  return JSON.stringify(sorted(content)) === JSON.stringify(sorted(entry));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(fieldOf(value, key))]),
  );
}
