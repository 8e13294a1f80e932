import { randomUUID } from 'node:crypto';
import type { Authorizer } from '../acl/authorizer.js';
import { entryKey } from '../entries/entry-kind.js';
import {
  normalizeIntentions,
  permissionShape,
  serviceIntentions,
  sourcesOf,
  validateIntentions,
} from '../entries/service-intentions.js';
import type { Decoded, Shape } from '../entries/shape.js';
import {
  badRequest,
  ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  jsonReply,
  serverFailure,
} from '../exchange.js';
import { joinErrors, quoted } from '../go-errors.js';
import type { Handler, ServerContext } from '../server-context.js';
import type { ConfigEntryRow } from '../state/rows.js';
import type { StateStore } from '../state/state-store.js';
import { decodeStrictBody, objectIn, textIn } from '../strict-body.js';
import { removeEntry, storeEntry } from './config-entries.js';
import { toIntentions } from './intention-views.js';

const table = 'config-entries';

const intentionShape: Shape = [
  { name: 'ID', kind: 'string' },
  { name: 'Description', kind: 'string', omitEmpty: true },
  { name: 'SourceNS', kind: 'string' },
  { name: 'SourceName', kind: 'string' },
  { name: 'DestinationNS', kind: 'string' },
  { name: 'DestinationName', kind: 'string' },
  { name: 'SourcePartition', kind: 'string' },
  { name: 'DestinationPartition', kind: 'string' },
  { name: 'SourcePeer', kind: 'string' },
  { name: 'SourceType', kind: 'string' },
  { name: 'Action', kind: 'string', omitEmpty: true },
  { name: 'Permissions', kind: { list: permissionShape }, omitEmpty: true },
  { name: 'DefaultAddr', kind: 'string' },
  { name: 'DefaultPort', kind: 'int' },
  { name: 'Meta', kind: 'string-map' },
  { name: 'Precedence', kind: 'int' },
  { name: 'CreatedAt', kind: 'time' },
  { name: 'UpdatedAt', kind: 'time' },
  { name: 'Hash', kind: 'string' },
  { name: 'CreateIndex', kind: 'int' },
  { name: 'ModifyIndex', kind: 'int' },
];

/** `PUT …/exact`: sets one source of a destination's entry and leaves the others. Knows no compare-and-set. */
export function putExact(context: ServerContext, request: ConsulRequest): ConsulReply {
  const source = nonEmpty(request, 'source');
  const destination = nonEmpty(request, 'destination');
  const body = decodeStrictBody(request.body, intentionShape, 'Request decode failed');
  if (textIn(body, 'SourcePeer') !== '') {
    throw serverFailure('SourcePeer field is not supported on this endpoint. Use config entries instead');
  }
  requireWrite(context.acl.authorize(request), destination);
  const current = context.store.get(table, entryKey('service-intentions', destination));
  const meta = objectIn(body, 'Meta') ?? {};
  if (Object.keys(meta).length > 0) {
    if (current === undefined) throw serverFailure('Meta must not be specified');
    if (!isSameMap(current.Meta, meta)) {
      throw serverFailure('Meta must not be specified, or should be unchanged during an update.');
    }
  }
  const written: Decoded = {
    Name: source,
    ...(body.Action === undefined ? {} : { Action: body.Action }),
    ...(body.Permissions === undefined ? {} : { Permissions: body.Permissions }),
    Precedence: 0,
    Type: textIn(body, 'SourceType'),
    ...(body.Description === undefined ? {} : { Description: body.Description }),
  };
  const before = current === undefined ? [] : sourcesOf(current);
  const isKnown = before.some((other) => other.Name === source && other.Peer === undefined);
  const sources = isKnown
    ? before.map((other) => (other.Name === source && other.Peer === undefined ? written : other))
    : [...before, written];
  writeSources(context.store, destination, current, sources);
  return jsonReply(request, true);
}

/** `DELETE …/exact`: true also where there was nothing; the last source takes its entry with it. */
export function deleteExact(context: ServerContext, request: ConsulRequest): ConsulReply {
  const source = nonEmpty(request, 'source');
  const destination = nonEmpty(request, 'destination');
  requireWrite(context.acl.authorize(request), destination);
  const current = context.store.get(table, entryKey('service-intentions', destination));
  if (current === undefined || !sourcesOf(current).some((other) => other.Name === source)) {
    return jsonReply(request, true);
  }
  const left = sourcesOf(current).filter((other) => other.Name !== source);
  writeSources(context.store, destination, current, left);
  return jsonReply(request, true);
}

function writeSources(
  store: StateStore,
  destination: string,
  current: ConfigEntryRow | undefined,
  sources: readonly Decoded[],
): void {
  if (current !== undefined && sources.length === 0) {
    store.write((transaction) => removeEntry(transaction, 'service-intentions', current.Name));
    return;
  }
  const base: Decoded =
    current === undefined ? { Kind: 'service-intentions', Name: destination } : contentOf(current);
  // Old ids die with the first write of the newer API.
  const cleared = sources.map(({ LegacyMeta: _meta, ...source }) => source);
  const entry = normalizeIntentions({ ...base, Sources: cleared }, false);
  validateIntentions(entry, false);
  store.write((transaction) => storeEntry(transaction, serviceIntentions, entry));
}

function contentOf(row: ConfigEntryRow): Decoded {
  const { CreateIndex: _created, ModifyIndex: _modified, ...content } = row;
  return content;
}

/** The refusal of intention writes says nothing about who lacks what. */
function requireWrite(authorizer: Authorizer, destination: string): void {
  if (!authorizer.isAllowed('intention', 'write', destination))
    throw new ConsulFailure(403, 'Permission denied');
}

/** `POST /v1/connect/intentions`: the old API, whose intentions have ids of their own. */
export function createIntention(context: ServerContext, request: ConsulRequest): ConsulReply {
  const body = decodeLegacyBody(request, (why) => serverFailure(`Failed to decode request body: ${why}`));
  const destination = textIn(body, 'DestinationName');
  requireWrite(context.acl.authorize(request), destination);
  if (textIn(body, 'ID') !== '') throw serverFailure('ID must be empty when creating a new intention');
  const errors = legacyErrors(body);
  if (errors.length > 0) throw serverFailure(joinErrors(errors));
  const now = new Date(context.clock.now()).toISOString();
  const id = randomUUID();
  const current = context.store.get(table, entryKey('service-intentions', destination));
  if (current !== undefined) requireLegacy(current);
  const before = current === undefined ? [] : sourcesOf(current);
  const base: Decoded =
    current === undefined ? { Kind: 'service-intentions', Name: destination } : contentOf(current);
  writeLegacy(context.store, { ...base, Sources: [...before, legacySource(body, id, now)] });
  return jsonReply(request, { ID: id });
}

function writeLegacy(store: StateStore, draft: Decoded): void {
  const entry = normalizeIntentions(draft, true);
  validateIntentions(entry, true);
  store.write((transaction) => storeEntry(transaction, serviceIntentions, withoutEmptyMeta(entry)));
}

function withoutEmptyMeta(entry: Decoded): Decoded {
  const sources = sourcesOf(entry).map(({ LegacyMeta: meta, ...source }) => {
    return typeof meta === 'object' && meta !== null && Object.keys(meta).length > 0
      ? { ...source, LegacyMeta: meta }
      : source;
  });
  return { ...entry, Sources: sources };
}

function legacySource(body: Decoded, id: string, now: string): Decoded {
  return {
    Name: textIn(body, 'SourceName'),
    ...(body.Action === undefined ? {} : { Action: body.Action }),
    Precedence: 0,
    LegacyID: id,
    Type: textIn(body, 'SourceType'),
    ...(body.Description === undefined ? {} : { Description: body.Description }),
    LegacyMeta: objectIn(body, 'Meta') ?? {},
    LegacyCreateTime: now,
    LegacyUpdateTime: now,
  };
}

function requireLegacy(entry: ConfigEntryRow): void {
  if (sourcesOf(entry).every((source) => source.LegacyID !== undefined)) return;
  throw serverFailure(
    `cannot use legacy intention API to edit intentions with a destination of ${quoted(entry.Name)} after editing them via a service-intentions config entry`,
  );
}

function legacyErrors(body: Decoded): string[] {
  const errors: string[] = [];
  for (const field of ['SourceName', 'DestinationName']) {
    const name = textIn(body, field);
    if (name === '') errors.push(`${field} must be set`);
    else if (name !== '*' && name.includes('*')) {
      errors.push(`${field}: wildcard character '*' cannot be used with partial values`);
    }
  }
  if (body.Action !== 'allow' && body.Action !== 'deny')
    errors.push("Action must be set to 'allow' or 'deny'");
  return errors;
}

function decodeLegacyBody(request: ConsulRequest, failure: (why: string) => ConsulFailure): Decoded {
  try {
    return decodeStrictBody(request.body, intentionShape, '');
  } catch (error) {
    if (error instanceof ConsulFailure) throw failure(error.message.replace(/^: /, ''));
    throw error;
  }
}

function nonEmpty(request: ConsulRequest, name: string): string {
  const values = request.query.getAll(name);
  const value = values[0] ?? '';
  if (values.length !== 1 || value === '') throw serverFailure(`required query parameter '${name}' not set`);
  const parts = value.split('/');
  if (value.startsWith('peer:'))
    throw serverFailure(`${name} ${quoted(value)} is invalid: cannot specify a peer here`);
  if (parts.length > 3)
    throw serverFailure(`${name} ${quoted(value)} is invalid: input can contain at most two '/'`);
  return parts.at(-1) ?? '';
}

function isSameMap(left: unknown, right: Decoded): boolean {
  const entries = (value: unknown) => JSON.stringify(Object.entries(Object(value)).sort());
  return entries(left) === entries(right);
}

const idPath = '/v1/connect/intentions/';

function byId(context: ServerContext, id: string): { entry: ConfigEntryRow; source: Decoded } | undefined {
  if (id.length !== 36)
    throw badRequest('failed config entry lookup: index error: UUID must be 36 characters');
  for (const entry of context.store.list(table, 'service-intentions/')) {
    const source = sourcesOf(entry).find((candidate) => candidate.LegacyID === id);
    if (source !== undefined) return { entry, source };
  }
  return undefined;
}

/** Reads, updates and deletes by the ids of the old API. */
export const intentionById: Readonly<Record<string, Handler>> = {
  GET: (context, request) => {
    const authorizer = context.acl.authorize(request);
    const found = byId(context, request.path.slice(idPath.length));
    if (found === undefined) throw new ConsulFailure(404, 'Intention not found');
    const view = toIntentions(found.entry).find((intention) => intention.ID === found.source.LegacyID);
    const names = [found.entry.Name, String(found.source.Name)];
    if (!names.some((name) => authorizer.isAllowed('intention', 'read', name))) {
      throw new ConsulFailure(403, 'Permission denied');
    }
    return jsonReply(request, view);
  },
  PUT: (context, request) => {
    const id = request.path.slice(idPath.length);
    const body = decodeStrictBody(request.body, intentionShape, 'Request decode failed');
    const authorizer = context.acl.authorize(request);
    const found = byId(context, id);
    if (found === undefined) throw serverFailure(`Cannot modify non-existent intention: '${id}'`);
    requireWrite(authorizer, found.entry.Name);
    if (textIn(body, 'DestinationName') !== found.entry.Name) {
      throw serverFailure(
        'Cannot modify Destination partition/namespace/name for an intention once it exists.',
      );
    }
    const errors = legacyErrors(body);
    if (errors.length > 0) throw serverFailure(joinErrors(errors));
    requireLegacy(found.entry);
    const updated = legacySource(body, id, new Date(context.clock.now()).toISOString());
    const sources = sourcesOf(found.entry).map((source) => (source.LegacyID === id ? updated : source));
    writeLegacy(context.store, { ...contentOf(found.entry), Sources: sources });
    return jsonReply(request, { ID: id });
  },
  DELETE: (context, request) => {
    const id = request.path.slice(idPath.length);
    const authorizer = context.acl.authorize(request);
    const found = byId(context, id);
    if (found === undefined) throw serverFailure(`Cannot delete non-existent intention: '${id}'`);
    requireWrite(authorizer, found.entry.Name);
    requireLegacy(found.entry);
    const left = sourcesOf(found.entry).filter((source) => source.LegacyID !== id);
    if (left.length > 0) writeLegacy(context.store, { ...contentOf(found.entry), Sources: left });
    else
      context.store.write((transaction) => removeEntry(transaction, 'service-intentions', found.entry.Name));
    return jsonReply(request, true);
  },
};
