import { z } from 'zod';
import { ClientUnreadable, IncompleteRead } from '../../errors.js';
import type { Grant, OAuthClient } from '../../model/client.js';
import type {
  Directory,
  DirectorySnapshot,
  Members,
  UnreadableClient,
  UnreadablePeople,
} from '../directory.js';
import { withUnreadable } from '../records.js';

/** One page of the directory's JSON document, typed and checked; keys that scopemesh does not know are left out. */
export interface DocumentPage {
  readonly clients: readonly OAuthClient[];
  readonly unreadable: readonly UnreadableClient[];
  /** Absent where the page says nothing of people. */
  readonly people?: readonly Person[];
  /** The subjects of people that cannot be parsed; undefined where not even that can be read. */
  readonly unreadablePeople?: readonly (string | undefined)[];
  /** As written: absolute, or relative to the page's own address. */
  readonly next?: string;
  /** One client alone can be read at `<directory>/<clientId>`. */
  readonly single: boolean;
  /** A count that only goes up; lets a page from an older copy of the directory be told. */
  readonly revision?: number;
}

export interface Person {
  /** The `sub` of the person's tokens. */
  readonly subject: string;
  readonly enabled: boolean;
  readonly groups: readonly string[];
}

/** A directory in a document, which is read as a whole in any case. */
export interface DocumentDirectory extends Directory {
  readAll(signal: AbortSignal): Promise<DocumentSnapshot>;
}

/** A complete read with the people, absent where the document says nothing of them. */
export interface DocumentSnapshot extends DirectorySnapshot {
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
    .refine((text) => !UNPRINTABLE.test(text), 'must not hold control characters or half a character');

// RFC 6749, section 3.3, parts scopes by spaces: one with a space in it would be two elsewhere.
const scopeName = identifier(512).refine((name) => !name.includes(' '), 'must not hold spaces');
const scope = z.union([scopeName, z.object({ api: identifier(512).optional(), name: scopeName })]);

const scalar = z.union([z.string().max(16_384), z.number(), z.boolean()]);
const attribute = z.union([scalar, z.array(scalar).max(1000)]);

// `enabled` and `scopes` have no null: a field that a broken export emptied must not pass for an answer.
const client = z.object({
  clientId: identifier(255),
  name: z.string().max(1024).nullish(),
  enabled: z.boolean().default(true),
  grantTypes: z.array(identifier(255)).default([]),
  scopes: z.array(scope),
  accessTokenLifetimeSeconds: z.int().positive().nullish(),
  secretCreatedAt: z.iso.datetime({ offset: true }).nullish(),
  attributes: z.record(z.string(), attribute.nullable()).default({}),
});

// As with clients: an emptied `groups` must not pass for an answer.
const person = z.object({
  subject: identifier(255),
  enabled: z.boolean().default(true),
  groups: z.array(identifier(512)),
});

const page = z.object({
  clients: z.array(z.unknown()),
  people: z.array(z.unknown()).optional(),
  next: z.string().min(1).max(8192).nullish(),
  single: z.boolean().default(false),
  revision: z.int().nonnegative().optional(),
});

/**
 * A page from parsed JSON. Unknown keys are tolerated, so that a document may say more than scopemesh reads. A client
 * with a key of the wrong type is unreadable, because what the key meant to say is lost; a page with one is
 * IncompleteRead naming the place.
 */
export function parsePage(json: unknown, provider: string, place: string): DocumentPage {
  const result = page.safeParse(json);
  if (!result.success) throw wrongShape(result.error, place);
  const { clients, people, next, single, revision } = result.data;
  return {
    ...parseClients(clients, provider),
    ...(people === undefined ? {} : parsePeople(people)),
    ...(next == null ? {} : { next }),
    single,
    ...(revision === undefined ? {} : { revision }),
  };
}

/** The answer of a single read: the client's own object, as it would stand in `clients`. */
export function parseClient(json: unknown, asked: string, provider: string, place: string): OAuthClient {
  const result = client.safeParse(json);
  // What does not even name the client may come from anything that stands in between.
  if (!result.success && clientIdIn(json) !== asked) throw wrongShape(result.error, place);
  if (!result.success) throw new ClientUnreadable(place, asked, faultOf(result.error));
  return toClient(result.data, provider);
}

function parseClients(
  records: readonly unknown[],
  provider: string,
): Pick<DocumentPage, 'clients' | 'unreadable'> {
  const clients: OAuthClient[] = [];
  const unreadable: UnreadableClient[] = [];
  for (const record of records) {
    const result = client.safeParse(record);
    if (result.success) clients.push(toClient(result.data, provider));
    else {
      const clientId = clientIdIn(record);
      unreadable.push({ why: faultOf(result.error), ...(clientId === undefined ? {} : { clientId }) });
    }
  }
  return { clients, unreadable };
}

function parsePeople(
  records: readonly unknown[],
): Required<Pick<DocumentPage, 'people' | 'unreadablePeople'>> {
  const people: Person[] = [];
  const unreadablePeople: (string | undefined)[] = [];
  for (const record of records) {
    const result = person.safeParse(record);
    if (result.success) people.push(result.data);
    else unreadablePeople.push(subjectIn(record));
  }
  return { people, unreadablePeople };
}

function subjectIn(record: unknown): string | undefined {
  return z.object({ subject: person.shape.subject }).safeParse(record).data?.subject;
}

/** Whose record it is, also where nothing else of it can be read. */
function clientIdIn(record: unknown): string | undefined {
  return z.object({ clientId: client.shape.clientId }).safeParse(record).data?.clientId;
}

/** The client in a complete read; undefined if it is certainly not there. */
export function clientIn(
  snapshot: DirectorySnapshot,
  clientId: string,
  place: string,
): OAuthClient | undefined {
  const found = snapshot.clients.find((each) => each.clientId === clientId);
  if (found !== undefined) return found;
  const record =
    snapshot.unreadable.find((each) => each.clientId === clientId) ??
    // It may be anybody's.
    snapshot.unreadable.find((each) => each.clientId === undefined);
  if (record !== undefined) throw new ClientUnreadable(place, clientId, record.why);
  return undefined;
}

/**
 * All pages of one read as a snapshot. IncompleteRead if a client id or a subject comes twice (pages overlap, so others
 * may be missing between them), or if there is no client at all: an empty document is what a lost database, an
 * export that failed and a filter look like.
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
    if (seen.has(clientId)) throw incomplete(`${place}: client ${quote(clientId)} is listed twice`);
    seen.add(clientId);
  }
  if (clients.length + unreadable.length === 0) {
    const remedy = 'to take all access away, keep each client and set its "enabled" to false';
    throw incomplete(`${place}: lists no client, which is not taken for an answer; ${remedy}`);
  }
  const tellPeople = pages.some((each) => each.people !== undefined);
  const people = pages.flatMap((each) => each.people ?? []);
  const subjects = new Set<string>();
  const unnamed = pages.flatMap((each) => each.unreadablePeople ?? []);
  const named = unnamed.filter((subject) => subject !== undefined);
  for (const subject of [...people.map((each) => each.subject), ...named]) {
    if (subjects.has(subject)) throw incomplete(`${place}: person ${quote(subject)} is listed twice`);
    subjects.add(subject);
  }
  const unreadablePeople = { subjects: new Set(named), hasUnnamed: named.length < unnamed.length };
  return {
    clients,
    unreadable,
    requests,
    ...(tellPeople ? { people } : {}),
    ...(unnamed.length > 0 ? { unreadablePeople } : {}),
  };
}

/** Enabled people by group. IncompleteRead, and no answer of "nobody", where the document says nothing of people. */
export function membersOf(
  { people, unreadablePeople }: Pick<DocumentSnapshot, 'people' | 'unreadablePeople'>,
  groups: readonly string[],
  place: string,
): Members {
  if (people === undefined) {
    const remedy = 'write "people" into it, each with "subject" and "groups"';
    throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: says nothing of people; ${remedy}`, {
      retriable: false,
    });
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

export function incomplete(message: string, cause?: unknown): IncompleteRead {
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true, cause });
}

/** A hostile string, safe and short enough for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function toClient(parsed: z.infer<typeof client>, provider: string): OAuthClient {
  return {
    provider,
    clientId: parsed.clientId,
    ...(parsed.name == null ? {} : { name: parsed.name }),
    enabled: parsed.enabled,
    grantTypes: parsed.grantTypes,
    grants: toGrants(parsed.scopes),
    ...(parsed.accessTokenLifetimeSeconds == null
      ? {}
      : { accessTokenLifetimeSeconds: parsed.accessTokenLifetimeSeconds }),
    ...(parsed.secretCreatedAt == null
      ? {}
      : { secretCreatedAt: new Date(parsed.secretCreatedAt).toISOString() }),
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

function toAttributes(attributes: Record<string, z.infer<typeof attribute> | null>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) =>
      value === null ? [] : [[name, Array.isArray(value) ? value.join(',') : String(value)]],
    ),
  );
}

function wrongShape(error: z.ZodError, place: string): IncompleteRead {
  return incomplete(`${place}: ${faultOf(error)}`);
}

/** The field that is wrong and why, without what it says. */
function faultOf(error: z.ZodError): string {
  const [issue] = error.issues;
  const where = (issue?.path ?? [])
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${quote(String(part)).slice(1, -1)}`))
    .join('')
    .replace(/^\./, '');
  return `${where === '' ? 'the document' : where}: ${issue?.message ?? 'wrong shape'}`;
}
