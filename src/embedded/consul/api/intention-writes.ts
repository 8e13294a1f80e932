import { randomUUID } from 'node:crypto';
import { isoInstant } from '../../../clock.js';
import type { Authorizer } from '../acl/authorizer.js';
import { objectIn, textIn } from '../body.js';
import type { Call } from '../call.js';
import { entryKey } from '../entries/entry-kind.js';
import {
  normalizeIntentions,
  permissionShape,
  serviceIntentions,
  sourcesOf,
  validateIntentions,
  wildcardError,
} from '../entries/service-intentions.js';
import { ConsulFailure, type ConsulReply, joinErrors, quoted, serverFailure } from '../exchange.js';
import { type Decoded, int, list, string, stringMap, time } from '../shape.js';
import { type ConfigEntryRow, contentOf } from '../state/rows.js';
import { removeEntry, storeEntry } from './config-entries.js';

const intentionShape = [
  ...string('ID Description? SourceNS SourceName DestinationNS DestinationName SourcePartition'),
  ...string('DestinationPartition SourcePeer SourceType Action?'),
  ...list('Permissions?', permissionShape),
  ...string('DefaultAddr Hash'),
  ...stringMap('Meta'),
  ...time('CreatedAt UpdatedAt'),
  ...int('DefaultPort Precedence CreateIndex ModifyIndex'),
];

/** `PUT …/exact`: sets one source of a destination's entry and keeps the others. Ignores compare-and-set. */
export function putExact(call: Call): ConsulReply {
  const [source, destination] = [nameIn(call, 'source'), nameIn(call, 'destination')];
  const body = call.body(intentionShape, 'Request decode failed');
  if (textIn(body, 'SourcePeer') !== '')
    throw serverFailure('SourcePeer field is not supported on this endpoint. Use config entries instead');
  requireWrite(call.authorize(), destination);
  const current = entryOf(call, destination);
  requireSameMeta(current, objectIn(body, 'Meta') ?? {});
  const written: Decoded = {
    Name: source,
    ...(body.Action === undefined ? {} : { Action: body.Action }),
    ...(body.Permissions === undefined ? {} : { Permissions: body.Permissions }),
    Precedence: 0,
    Type: textIn(body, 'SourceType'),
    ...(body.Description === undefined ? {} : { Description: body.Description }),
  };
  const before = current === undefined ? [] : sourcesOf(current);
  const at = before.findIndex((other) => other.Name === source && other.Peer === undefined);
  writeSources(call, destination, at < 0 ? [...before, written] : before.with(at, written));
  return call.json(true);
}

function requireSameMeta(current: ConfigEntryRow | undefined, meta: Decoded): void {
  if (Object.keys(meta).length === 0) return;
  if (current === undefined) throw serverFailure('Meta must not be specified');
  const text = (value: unknown) => JSON.stringify(Object.entries(Object(value)).sort());
  if (text(current.Meta) !== text(meta))
    throw serverFailure('Meta must not be specified, or should be unchanged during an update.');
}

/** `DELETE …/exact`: true also where there was nothing; the last source takes its entry with it. */
export function deleteExact(call: Call): ConsulReply {
  const [source, destination] = [nameIn(call, 'source'), nameIn(call, 'destination')];
  requireWrite(call.authorize(), destination);
  const current = entryOf(call, destination);
  const before = current === undefined ? [] : sourcesOf(current);
  const left = before.filter((other) => other.Name !== source);
  if (left.length < before.length) writeSources(call, destination, left);
  return call.json(true);
}

function writeSources(call: Call, destination: string, sources: readonly Decoded[]): void {
  const current = entryOf(call, destination);
  if (current !== undefined && sources.length === 0) {
    call.store.write((transaction) => removeEntry(transaction, 'service-intentions', current.Name));
    return;
  }
  // The first write of the newer API drops the old IDs.
  const cleared = sources.map(({ LegacyMeta: _meta, ...source }) => source);
  const entry = normalizeIntentions({ ...draftOf(current, destination), Sources: cleared }, false);
  validateIntentions(entry, false);
  call.store.write((transaction) => storeEntry(transaction, serviceIntentions, entry));
}

/** `POST /v1/connect/intentions`: the old API, whose intentions have IDs of their own. */
export function createIntention(call: Call): ConsulReply {
  const body = legacyBody(call);
  const destination = textIn(body, 'DestinationName');
  requireWrite(call.authorize(), destination);
  if (textIn(body, 'ID') !== '') throw serverFailure('ID must be empty when creating a new intention');
  const errors = legacyErrors(body);
  if (errors.length > 0) throw serverFailure(joinErrors(errors));
  const current = entryOf(call, destination);
  if (current !== undefined) requireLegacy(current);
  const now = isoInstant(call.context.clock);
  const meta = objectIn(body, 'Meta') ?? {};
  const id = randomUUID();
  const source: Decoded = {
    Name: textIn(body, 'SourceName'),
    Action: body.Action,
    Precedence: 0,
    LegacyID: id,
    Type: textIn(body, 'SourceType'),
    ...(body.Description === undefined ? {} : { Description: body.Description }),
    ...(Object.keys(meta).length === 0 ? {} : { LegacyMeta: meta }),
    LegacyCreateTime: now,
    LegacyUpdateTime: now,
  };
  const before = current === undefined ? [] : sourcesOf(current);
  const entry = normalizeIntentions({ ...draftOf(current, destination), Sources: [...before, source] }, true);
  validateIntentions(entry, true);
  call.store.write((transaction) => storeEntry(transaction, serviceIntentions, entry));
  return call.json({ ID: id });
}

function legacyBody(call: Call): Decoded {
  try {
    return call.body(intentionShape, 'Failed to decode request body');
  } catch (error) {
    if (error instanceof ConsulFailure) throw serverFailure(error.message);
    throw error;
  }
}

function legacyErrors(body: Decoded): string[] {
  const errors = ['SourceName', 'DestinationName'].flatMap((field) => {
    const name = textIn(body, field);
    if (name === '') return [`${field} must be set`];
    const error = wildcardError(name, '');
    return error === undefined ? [] : [error.replace('Name', field)];
  });
  const isActionSet = body.Action === 'allow' || body.Action === 'deny';
  return isActionSet ? errors : [...errors, "Action must be set to 'allow' or 'deny'"];
}

function requireLegacy(entry: ConfigEntryRow): void {
  if (sourcesOf(entry).every((source) => source.LegacyID !== undefined)) return;
  throw serverFailure(
    `cannot use legacy intention API to edit intentions with a destination of ${quoted(entry.Name)} after editing them via a service-intentions config entry`,
  );
}

function entryOf(call: Call, destination: string): ConfigEntryRow | undefined {
  return call.store.get('config-entries', entryKey('service-intentions', destination));
}

function draftOf(current: ConfigEntryRow | undefined, destination: string): Decoded {
  return current === undefined ? { Kind: 'service-intentions', Name: destination } : contentOf(current);
}

/** The refusal of intention writes does not say who lacks what. */
function requireWrite(authorizer: Authorizer, destination: string): void {
  if (!authorizer.isAllowed('intention', 'write', destination))
    throw new ConsulFailure(403, 'Permission denied');
}

/** The only value of a parameter. */
export function requireOne(call: Call, name: string): string {
  const values = call.request.query.getAll(name);
  if (values.length !== 1) throw serverFailure(`required query parameter '${name}' not set`);
  return values[0] ?? '';
}

function nameIn(call: Call, parameter: string): string {
  const text = requireOne(call, parameter);
  if (text === '') throw serverFailure(`required query parameter '${parameter}' not set`);
  return serviceIn(parameter, text);
}

/** `name`, `default/name` or `default/default/name`. */
export function serviceIn(parameter: string, text: string): string {
  const refuse = (why: string) => serverFailure(`${parameter} ${quoted(text)} is invalid: ${why}`);
  if (text.startsWith('peer:')) throw refuse('cannot specify a peer here');
  const parts = text.split('/');
  if (parts.length > 3) throw refuse("input can contain at most two '/'");
  return parts.at(-1) ?? '';
}
