import { createHash } from 'node:crypto';
import { toUriText } from '../model/uri-text.js';
import { describeSource, isOwnedDescription } from './ownership.js';
import type { ClientId } from './world.js';

/** Consul's limit for names of ACL objects. */
const NAME_LIMIT = 128;
/** 160 bits, so that nobody can find two IDs with one hash. */
const HASH_LENGTH = 40;
/** The end of a name whose client ID is replaced by a hash. */
const HASHED = new RegExp(`-_[0-9a-f]{${HASH_LENGTH}}$`);
/** Readable for an operator; Consul itself allows more. */
const DESCRIPTION_LIMIT = 512;

/**
 * The name of a client's role and auth method: `scopemesh-<owner>-<provider>-<client id>`. An ID that is not lower-case and
 * plain is replaced by `_` and a hash, because names are case-insensitive. A `-` in owner and provider becomes `_`, which
 * no plain ID contains. So the names of two clients never collide, and nobody can choose an ID with the name of another.
 */
export function clientName(owner: string, { provider, clientId }: ClientId): string {
  const plain = /^[a-z0-9][a-z0-9-]*$/.test(clientId) ? nameOf(owner, provider, clientId) : undefined;
  return plain ?? hashedName(owner, provider, '', clientId);
}

/** What the names of a provider's clients begin with, in lower case, if they have a hash. Only the hash follows. */
export function hashedPrefix(owner: string, provider: string): string {
  return clientName(owner, { provider, clientId: '_' }).slice(0, -HASH_LENGTH).toLowerCase();
}

/** Whether a name ends with a hash in place of a client ID. */
export function hasHash(name: string): boolean {
  return HASHED.test(name);
}

/** The name without its hash. */
export function withoutHash(name: string): string {
  return name.slice(0, -HASH_LENGTH);
}

/** The name of a policy, derived from its rules: clients share a policy, and changed rules are another policy. */
export function policyName(owner: string, rules: string): string {
  return `${prefixOf(owner)}_rules-${hash(rules)}`;
}

/** The auth method with which the people of a provider log in. */
export function peopleName(owner: string, provider: string): string {
  return nameOf(owner, provider, '_people') ?? hashedName(owner, provider, 'people');
}

/** The role of one person as a member of one group. */
export function personName(owner: string, provider: string, subject: string, group: string): string {
  return hashedName(owner, provider, 'person', subject, group);
}

export function jwtProviderName(owner: string, provider: string): string {
  return nameOf(owner, provider, '_users') ?? hashedName(owner, provider, 'users');
}

/** Whether both name and Description show that this owner owns an object. */
export function isOurs(owner: string, name: string, description: string): boolean {
  return hasOurName(owner, name) && isOwnedDescription(owner, description);
}

/** Whether a name has the prefix of this owner, with or without the mark. Reads fetch these objects. */
export function hasOurName(owner: string, name: string): boolean {
  return name.toLowerCase().startsWith(prefixOf(owner));
}

/** Whether a name is that of an object of another owner of scopemesh. */
export function isOfAnotherOwner(owner: string, name: string): boolean {
  return name.toLowerCase().startsWith('scopemesh-') && !hasOurName(owner, name);
}

/** `scopemesh:<owner> client=<provider>/<client id>`; only the mark if that is too long. */
export function describeClient(owner: string, client: ClientId): string {
  return describeSource(owner, client);
}

/** `scopemesh:<owner> <word>=<segment>/<segment> …`, percent-encoded; only the mark if that is too long. */
export function describe(owner: string, facts: Readonly<Record<string, readonly string[]>>): string {
  const mark = `scopemesh:${owner}`;
  const words = Object.entries(facts).map(
    ([word, segments]) => `${word}=${segments.map(toUriText).join('/')}`,
  );
  const text = [mark, ...words].join(' ');
  return text.length <= DESCRIPTION_LIMIT ? text : mark;
}

function prefixOf(owner: string): string {
  return `scopemesh-${owner.replaceAll('-', '_')}-`;
}

function nameOf(owner: string, provider: string, last: string): string | undefined {
  const name = `${prefixOf(owner)}${provider.replaceAll('-', '_')}-${last}`;
  return name.length <= NAME_LIMIT ? name : undefined;
}

/** With the provider in plain text if there is room, otherwise only in the hash. */
function hashedName(owner: string, provider: string, word: string, ...parts: readonly string[]): string {
  const last = `_${word === '' ? '' : `${word}-`}${hash(JSON.stringify([provider, ...parts]))}`;
  return nameOf(owner, provider, last) ?? `${prefixOf(owner)}${last}`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
}
