import type { IntentionEntry, IntentionSource, ServiceName } from '../model/intention.js';
import { isZero } from '../model/is-zero.js';
import type { Mapping } from '../model/rule.js';
import { toUriText } from '../model/uri-text.js';
import { type ClientId, serviceText } from './world.js';

/** Consul takes 512 bytes for a source's Description. */
const DESCRIPTION_BYTES = 512;

/** Begins the author's text, in which nothing counts as a word of the mark. The words before it have no spaces. */
const TEXT = ' text=';

/**
 * The mark of this instance in a source's Description: `scopemesh:<owner>` followed by a space or the end, so
 * that owner `pay` does not own what `payments` wrote. `client=` names the client, for people and for decisions about a
 * removed claim. `text=` has the Description from before the adoption, as it was, up to the end. If both do not fit, the
 * client is left out, since nobody else has the text. `until=` has the instant at which the break-glass grant of the source
 * ends: it is never left out, so ask `hasRoomForEnd` first.
 */
export function describeSource(
  owner: string,
  client: ClientId | undefined,
  text = '',
  until?: number,
): string {
  const last = client === undefined ? '' : ` ${wordOf(client)}`;
  if (until === undefined) return firstThatFits([mark(owner), last], text);
  const head = `${mark(owner)}${endWord(until)}`;
  return firstThatFits([head, last], text, head);
}

/** Whether the end of a break-glass grant fits beside the mark and the text of an adopted source. */
export function hasRoomForEnd(owner: string, text: string): boolean {
  return Buffer.byteLength(describeSource(owner, undefined, text, 0)) <= DESCRIPTION_BYTES;
}

/** The instant in the mark at which the break-glass grant of the source ends, in milliseconds since the epoch. */
export function endOfDescription(description: string): number | undefined {
  const [head = ''] = description.split(TEXT, 1);
  const end = Date.parse(/ until=(\d{4}-\d\d-\d\dT[\d:.]{8,12}Z)(?: |$)/.exec(head)?.[1] ?? '');
  return Number.isNaN(end) ? undefined : end;
}

function endWord(until: number): string {
  return ` until=${new Date(until).toISOString()}`;
}

/**
 * The same of an edge that a person denies: `deny=` says until when, and `/new` that nothing of scopemesh was there before. It
 * is for the case that the store is lost, so it is left out if it does not fit.
 */
export function describeDeny(
  owner: string,
  client: ClientId | undefined,
  { until, isNew }: MarkedDeny,
  text: string,
): string {
  const deny = ` deny=${new Date(until).toISOString()}${isNew ? '/new' : ''}`;
  return firstThatFits([`${mark(owner)}${deny}`, client === undefined ? '' : ` ${wordOf(client)}`], text);
}

/** The head with its last word, or without it, and the text, which nobody else has. `least` of the head always stays. */
function firstThatFits(
  [head, last]: readonly [string, string],
  text: string,
  least = head.split(' ', 1)[0] ?? '',
): string {
  const end = text === '' ? '' : `${TEXT}${text}`;
  const fits = (whole: string) => Buffer.byteLength(whole) <= DESCRIPTION_BYTES;
  const whole = `${head}${last}${end}`;
  if (fits(whole)) return whole;
  return fits(`${head}${end}`) ? `${head}${end}` : `${least}${end}`;
}

function wordOf({ provider, clientId }: ClientId): string {
  return `client=${toUriText(provider)}/${toUriText(clientId)}`;
}

/** What the mark of a denied edge says. `until` is in milliseconds since the epoch. */
interface MarkedDeny {
  readonly until: number;
  readonly isNew: boolean;
}

export function denyOfDescription(description: string): MarkedDeny | undefined {
  const [head = ''] = description.split(TEXT, 1);
  const found = / deny=(\d{4}-\d\d-\d\dT[\d:.]{8,12}Z)(\/new)?(?: |$)/.exec(head);
  const until = Date.parse(found?.[1] ?? '');
  return Number.isNaN(until) ? undefined : { until, isNew: found?.[2] !== undefined };
}

/** How many bytes of a text fit beside the mark and the client. */
export function roomForText(owner: string, client: ClientId): number {
  return DESCRIPTION_BYTES - Buffer.byteLength(`${describeSource(owner, client)}${TEXT}`);
}

/**
 * The Description of a marked source from before its adoption; empty for one that scopemesh made. A text that is a mark
 * itself was never adopted: it would give the source to another instance.
 */
export function textOfDescription(description: string): string {
  const at = description.indexOf(TEXT);
  const text = at === -1 ? '' : description.slice(at + TEXT.length);
  return isAnyMarked(text) ? '' : text;
}

export function isOwnedDescription(owner: string, description: string): boolean {
  return description === mark(owner) || description.startsWith(`${mark(owner)} `);
}

/** Whether a Description carries the mark of any scopemesh instance. */
export function isAnyMarked(description: string): boolean {
  return description.startsWith('scopemesh:');
}

/** The owner in the mark of a Description, if it is another instance. */
export function otherOwnerOf(owner: string, description: string): string | undefined {
  const other = /^scopemesh:(\S+)/.exec(description)?.[1];
  return other === owner ? undefined : other;
}

/** The client that an owned Description names, if it is readable. */
export function clientOfDescription(description: string): ClientId | undefined {
  const [head = ''] = description.split(TEXT, 1);
  const found = / client=([^/\s]+)\/(\S+)$/.exec(head);
  if (found?.[1] === undefined || found[2] === undefined) return undefined;
  try {
    return { provider: decodeURIComponent(found[1]), clientId: decodeURIComponent(found[2]) };
  } catch {
    return undefined;
  }
}

/**
 * Owned sources are local (no peer), belong to one service and carry the mark. scopemesh never writes a wildcard: a marked
 * one was created manually, and treating it as owned would close it to everybody.
 */
export function isOwned(owner: string, source: IntentionSource): boolean {
  return source.peer === undefined && source.name !== '*' && isOwnedDescription(owner, source.description);
}

/**
 * Whether this instance decides about a source: it carries the mark, and its client is not outside `select.clients`. A mark
 * that does not name its client counts: the client ID was too long for the Description.
 */
export function isOwnedHere(
  { owner, select }: Pick<Mapping, 'owner' | 'select'>,
  source: IntentionSource,
): boolean {
  if (!isOwned(owner, source)) return false;
  if (select === undefined || !select.limitsClients) return true;
  const client = clientOfDescription(source.description);
  return client === undefined || select.hasClient(client);
}

/** Meta keys with which consul-k8s, replication and other tools mark their entries. */
const MANAGED_META = ['external-source', 'consul.hashicorp.com/source-datacenter'] as const;

export function isManagedElsewhere(entry: IntentionEntry): boolean {
  return MANAGED_META.some((key) => Object.hasOwn(entry.meta, key));
}

/** What every entry has: its name, its sources, and what Consul computes. */
const PLAIN_FIELDS = new Set([
  'Kind',
  'Name',
  'Partition',
  'Namespace',
  'Sources',
  'CreateIndex',
  'ModifyIndex',
  'Hash',
]);

/**
 * Whether an entry has other fields than sources: a JWT requirement, Meta, unknown fields. scopemesh never writes them, so
 * they are foreign and would be lost with the entry.
 */
export function hasFieldsOfOthers({ raw }: Pick<IntentionEntry, 'raw'>): boolean {
  return Object.entries(raw).some(([field, value]) => !PLAIN_FIELDS.has(field) && !isZero(value));
}

/** Whether a source is exactly this service. For Envoy, names that differ in case are different services. */
export function isSourceOf(
  source: { readonly name: string; readonly namespace: string; readonly partition: string },
  name: ServiceName,
): boolean {
  return (
    source.name === name.name && source.namespace === name.namespace && source.partition === name.partition
  );
}

/** The same for two names that are equal regardless of case. Use it to detect conflicts, never to decide ownership. */
export function caselessText(source: ServiceName): string {
  return serviceText(source).toLowerCase();
}

function mark(owner: string): string {
  return `scopemesh:${owner}`;
}
