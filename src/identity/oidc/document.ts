import { z } from 'zod';
import { ClientUnreadable, SyncError } from '../../errors.js';
import type { Grant, OAuthClient } from '../../model/client.js';
import { definedFields } from '../../model/defined-fields.js';
import type { ClientReference } from '../../model/key.js';
import type { Members, UnreadablePeople } from '../../model/members.js';
import { safeParse } from '../../safe-parse.js';
import type { Directory, DirectorySnapshot } from '../directory.js';
import { incomplete, wrongShape } from '../read-errors.js';
import { toUnreadable } from '../records.js';
import { withUnreadable } from '../unreadable-people.js';

/** One page of the JSON document, typed and checked. Unknown keys are left out. */
export type DocumentPage = ReturnType<typeof parsePage>;

/** A directory in a document, which is always read as a whole. */
export interface DocumentDirectory extends Directory {
  readAll(signal: AbortSignal): Promise<DocumentSnapshot>;
}

/** A complete read. `people` is absent if the document has none. */
interface DocumentSnapshot extends DirectorySnapshot {
  readonly people?: readonly Person[];
  readonly unreadablePeople?: UnreadablePeople;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
const UNPRINTABLE = /[\u0000-\u001f\u007f]|\p{Surrogate}/u;
const identifier = (longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .refine((text) => !UNPRINTABLE.test(text), 'must not contain control characters or half a character');

// RFC 6749, section 3.3, separates scopes by spaces. A scope with a space would be two scopes elsewhere.
const scopeName = identifier(512).refine((name) => !name.includes(' '), 'must not contain spaces');
const scope = z.union([scopeName, z.object({ api: identifier(512).optional(), name: scopeName })]);

const scalar = z.union([z.string().max(16_384), z.number(), z.boolean()]);
const attribute = z.union([scalar, z.array(scalar).max(1000)]);

// `enabled`, `scopes` and attributes allow no null: a field that a faulty export emptied must not count as a value. Without
// `consul-services` the claims on the client would end, and without the attribute of a kind the client would be of another.
const client = z.object({
  clientId: identifier(255),
  name: z.string().max(1024).nullish(),
  enabled: z.boolean().default(true),
  grantTypes: z.array(identifier(255)).default([]),
  scopes: z.array(scope),
  accessTokenLifetimeSeconds: z.int().positive().nullish(),
  secretCreatedAt: z.iso.datetime({ offset: true }).nullish(),
  attributes: z.record(z.string(), attribute).default({}),
});

// As with clients: emptied `groups` must not count as a value. `subject` is the `sub` of the person's tokens.
const person = z.object({
  subject: identifier(255),
  enabled: z.boolean().default(true),
  groups: z.array(identifier(512)),
});
export type Person = z.output<typeof person>;

const page = z.object({
  clients: z.array(z.unknown()),
  people: z.array(z.unknown()).optional(),
  next: z.string().min(1).max(8192).nullish(),
  single: z.boolean().default(false),
  revision: z.int().nonnegative().optional(),
});

/**
 * A page from parsed JSON. Unknown keys are allowed, so that a document may contain more than scopemesh reads. A client with
 * a key of the wrong type is unreadable, because the meaning of the key is lost. A page with one is an IncompleteRead that
 * names the place.
 */
export function parsePage(json: unknown, provider: string, place: string) {
  const result = safeParse(page, json);
  if (!result.success) throw wrongShape(place, faultOf(result.error));
  const { clients, people, next, single, revision } = result.data;
  const ofClients = parseEach(client, clients);
  const ofPeople = parseEach(person, people ?? []);
  return {
    clients: ofClients.valid.map((each) => toClient(each, provider)),
    unreadable: ofClients.invalid.map(({ record, why }) => toUnreadable(clientIdIn(record), why)),
    /** Undefined if the page has no `people`. */
    people: people && ofPeople.valid,
    /** The subjects of people that cannot be parsed. Undefined for a record without a readable subject. */
    unreadablePeople: ofPeople.invalid.map(({ record }) => subjectIn(record)),
    /** Absolute, or relative to the page's own address. */
    next: next ?? undefined,
    /** A single client can be read at `<directory>/<clientId>`. */
    single,
    /** A count that only grows, so that a page from an older copy of the directory is recognised. */
    revision,
  };
}

/** The answer of a single read: the client's own object, as in `clients`. */
export function parseClient(json: unknown, asked: string, provider: string, place: string): OAuthClient {
  const result = safeParse(client, json);
  // An answer that does not name the client may come from a server in between.
  if (!result.success && clientIdIn(json) !== asked) throw wrongShape(place, faultOf(result.error));
  if (!result.success) throw new ClientUnreadable(place, asked, faultOf(result.error));
  return toClient(result.data, provider);
}

/** Parses each record alone, so that an invalid one does not affect the others. */
function parseEach<T>(schema: z.ZodType<T>, records: readonly unknown[]) {
  const valid: T[] = [];
  const invalid: { readonly record: unknown; readonly why: string }[] = [];
  for (const record of records) {
    const result = safeParse(schema, record);
    if (result.success) valid.push(result.data);
    else invalid.push({ record, why: faultOf(result.error) });
  }
  return { valid, invalid };
}

function subjectIn(record: unknown): string | undefined {
  return safeParse(z.object({ subject: person.shape.subject }), record).data?.subject;
}

/** The client ID of a record, even if nothing else of it can be parsed. */
function clientIdIn(record: unknown): string | undefined {
  return safeParse(z.object({ clientId: client.shape.clientId }), record).data?.clientId;
}

/** The document has no other name for a client, and the answer "absent" would look like a deletion. */
export function requireClientId(by: ClientReference, provider: string): void {
  if (by === 'clientId') return;
  const message = `provider ${provider}: a client can be read only by client ID, and not by ${by}`;
  throw new SyncError('ERR_INTERNAL', message, { retriable: false });
}

/** The client in a complete read. Undefined if it certainly does not exist. */
export function clientIn(
  snapshot: DirectorySnapshot,
  clientId: string,
  place: string,
): OAuthClient | undefined {
  const found = snapshot.clients.find((each) => each.clientId === clientId);
  if (found !== undefined) return found;
  const record =
    snapshot.unreadable.find((each) => each.clientId === clientId) ??
    // A record without a client ID may be this client's.
    snapshot.unreadable.find((each) => each.clientId === undefined);
  if (record !== undefined) throw new ClientUnreadable(place, clientId, record.why);
  return undefined;
}

/**
 * The pages of one read as a snapshot. Throws IncompleteRead if a client ID or a subject comes twice (the pages overlap, so
 * others may be missing between them), and if there is no client: a lost database, a failed export and a filter look like
 * an empty document.
 */
export function toSnapshot(
  pages: readonly DocumentPage[],
  place: string,
  requests: number,
): DocumentSnapshot {
  const seen = new Set<string>();
  const clients = pages.flatMap((each) => each.clients);
  const unreadable = pages.flatMap((each) => each.unreadable);
  for (const { clientId } of [...clients, ...unreadable]) {
    if (clientId === undefined) continue;
    if (seen.has(clientId)) throw incomplete(place, `client ${quote(clientId)} is listed twice`);
    seen.add(clientId);
  }
  if (clients.length + unreadable.length === 0) {
    const remedy = 'to take all access away, keep each client and set its "enabled" to false';
    throw incomplete(place, `lists no client, which does not count as complete; ${remedy}`);
  }
  const hasPeople = pages.some((each) => each.people !== undefined);
  const people = pages.flatMap((each) => each.people ?? []);
  const subjects = new Set<string>();
  const unnamed = pages.flatMap((each) => each.unreadablePeople);
  const named = unnamed.filter((subject) => subject !== undefined);
  for (const subject of [...people.map((each) => each.subject), ...named]) {
    if (subjects.has(subject)) throw incomplete(place, `person ${quote(subject)} is listed twice`);
    subjects.add(subject);
  }
  const unreadablePeople = {
    subjects: new Set(named),
    groups: new Set<string>(),
    hasUnnamed: named.length < unnamed.length,
  };
  return {
    clients,
    unreadable,
    requests,
    ...(hasPeople ? { people } : {}),
    ...(unnamed.length > 0 ? { unreadablePeople } : {}),
  };
}

/** The enabled people by group. Throws IncompleteRead if the document has no people: that does not mean "nobody". */
export function membersOf(
  { people, unreadablePeople }: Pick<DocumentSnapshot, 'people' | 'unreadablePeople'>,
  groups: readonly string[],
  place: string,
): Members {
  if (people === undefined) {
    const remedy = 'add "people", each with "subject" and "groups"';
    throw incomplete(place, `contains no people; ${remedy}`, false);
  }
  const enabled = people.filter((person) => person.enabled);
  const members = new Map(
    [...new Set(groups)].map((group) => [
      group,
      enabled.filter((person) => person.groups.includes(group)).map(({ subject }) => subject),
    ]),
  );
  return withUnreadable(members, unreadablePeople);
}

/** An untrusted string, safe and short enough for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function toClient(parsed: z.infer<typeof client>, provider: string): OAuthClient {
  const { secretCreatedAt: createdAt } = parsed;
  return {
    provider,
    clientId: parsed.clientId,
    enabled: parsed.enabled,
    grantTypes: parsed.grantTypes,
    grants: toGrants(parsed.scopes),
    ...definedFields({
      name: parsed.name ?? undefined,
      accessTokenLifetimeSeconds: parsed.accessTokenLifetimeSeconds ?? undefined,
      secretCreatedAt: createdAt == null ? undefined : new Date(createdAt).toISOString(),
    }),
    attributes: toAttributes(parsed.attributes),
  };
}

function toGrants(scopes: readonly z.infer<typeof scope>[]): readonly Grant[] {
  const grants = new Map<string, Grant>();
  for (const each of scopes) {
    const { api, name } = typeof each === 'string' ? { api: undefined, name: each } : each;
    grants.set(JSON.stringify([api ?? null, name]), api === undefined ? { name } : { api, name });
  }
  return [...grants.values()];
}

function toAttributes(attributes: Record<string, z.infer<typeof attribute>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(',') : String(value),
    ]),
  );
}

/** Names the field that is wrong and the reason, without the value. */
function faultOf(error: z.ZodError): string {
  const [issue] = error.issues;
  const where = (issue?.path ?? [])
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${quote(String(part)).slice(1, -1)}`))
    .join('')
    .replace(/^\./, '');
  return `${where === '' ? 'the document' : where}: ${issue?.message ?? 'wrong form'}`;
}
