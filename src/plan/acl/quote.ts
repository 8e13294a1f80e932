import { createHash } from 'node:crypto';
import { toUriText } from '../../model/uri-text.js';
import { describeSource, isOwnedDescription } from '../ownership.js';
import type { ClientId } from '../world.js';

/**
 * Everything that stands between a hostile string and Consul's ACL objects: how it is written into a selector, how a
 * name is made of it, how a Description names it.
 */

/** Consul's limit for names of ACL objects. */
const NAME_LIMIT = 128;
/** What an operator can still read; Consul itself takes more. */
const DESCRIPTION_LIMIT = 512;

/**
 * A string literal of Consul's selector language. Only printable ASCII other than `"` and `\` is written as it is:
 * the parser refuses `\"`, and what is escaped cannot be taken for syntax or be normalised. Undefined for a text
 * with a lone surrogate, which no UTF-8 text, and so no claim, can equal.
 */
export function selectorString(text: string): string | undefined {
  if (!text.isWellFormed()) return undefined;
  let quoted = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0x20 && code < 0x7f && character !== '"' && character !== '\\') quoted += character;
    // `\xNN` is a byte: beyond ASCII it would not be the code point.
    else if (code < 0x80) quoted += `\\x${hex(code, 2)}`;
    else if (code < 0x10000) quoted += `\\u${hex(code, 4)}`;
    else quoted += `\\U${hex(code, 8)}`;
  }
  return `"${quoted}"`;
}

/**
 * A string of ACL rules in JSON. Consul unquotes it as Go does, not as JSON: half a surrogate pair, escaped, kills the
 * request, so that characters are written as they are and only `"`, `\` and control characters are escaped.
 * Undefined for a text with a lone surrogate.
 */
export function rulesString(text: string): string | undefined {
  return text.isWellFormed() ? JSON.stringify(text).replaceAll('\x7f', '\\u007f') : undefined;
}

/**
 * The name of a client's role and auth method: `scopemesh-<owner>-<provider>-<client id>`, or `_` and a hash instead
 * of the id unless it is lower-case and plain, because names meet without regard to case. A `-` of owner and provider
 * is written `_`, which no plain id has: no two clients, of whatever owners and providers, have one name, and nobody
 * can choose an id that gives him the name of another.
 */
export function clientName(owner: string, { provider, clientId }: ClientId): string {
  const plain = /^[a-z0-9][a-z0-9-]*$/.test(clientId) ? nameOf(owner, provider, clientId) : undefined;
  return plain ?? hashedName(owner, provider, '', clientId);
}

/** Of a policy: by its rules, so that clients share it and changed rules are another policy. */
export function policyName(owner: string, rules: string): string {
  return `${prefixOf(owner)}_rules-${hash(rules)}`;
}

/** The auth method by which the people of a provider log in. */
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

/** Whether name and Description both say that an object is this owner's. */
export function isOurs(owner: string, name: string, description: string): boolean {
  return hasOurName(owner, name) && isOwnedDescription(owner, description);
}

/** Whether a name is one that this owner may want, whoever made the object: what a read has to fetch. */
export function hasOurName(owner: string, name: string): boolean {
  return name.toLowerCase().startsWith(prefixOf(owner));
}

/** `scopemesh:<owner> client=<provider>/<client id>`; the mark alone where that is too long. */
export function describeClient(owner: string, client: ClientId): string {
  return describeSource(owner, client);
}

/** `scopemesh:<owner> <word>=<segment>/<segment> …`, percent-encoded; the mark alone where that is too long. */
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

/** With the provider in words where there is room, else in the hash alone. */
function hashedName(owner: string, provider: string, word: string, ...parts: readonly string[]): string {
  const last = `_${word === '' ? '' : `${word}-`}${hash(JSON.stringify([provider, ...parts]))}`;
  return nameOf(owner, provider, last) ?? `${prefixOf(owner)}${last}`;
}

/** 160 bits: nobody finds two ids of one hash. */
function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
