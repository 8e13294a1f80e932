import type { DecidedPerson } from '../../model/decision.js';
import { isOurs, peopleName, personName } from '../../plan/object-names.js';

/** The person and group of a role, if known. */
export interface PersonRole {
  readonly subject?: string;
  readonly group?: string;
}

/**
 * The person of an owned role, if it is a role of this provider's people. The Description names the person, and the name,
 * which is a hash, proves it. If the Description was too long, only the provider is known.
 */
export function personOfRole(
  owner: string,
  provider: string,
  role: { readonly name: string; readonly description: string },
): PersonRole | undefined {
  if (!isOurs(owner, role.name, role.description)) return undefined;
  const parsed = parseDescription(role.description);
  if (parsed !== undefined && parsed.provider !== provider) return undefined;
  if (parsed !== undefined) {
    const name = personName(owner, provider, parsed.subject, parsed.group);
    if (name.toLowerCase() === role.name.toLowerCase())
      return { subject: parsed.subject, group: parsed.group };
  }
  return hasPersonName(owner, provider, role.name) ? {} : undefined;
}

/** The person of an owned role or rule of any provider, in the form of decisions. A rule has the name of its role. */
export function decidedPerson(
  owner: string,
  object: { readonly name: string; readonly description: string },
): DecidedPerson | undefined {
  const provider = providerOfPeople(owner, object);
  if (provider === undefined) return undefined;
  return { provider, ...personOfRole(owner, provider, object), actorKind: 'human' };
}

/** Whether the name can only be that of a role of this provider's people, owned or foreign. */
export function hasPersonName(owner: string, provider: string, name: string): boolean {
  const prefix = personPrefix(owner, provider);
  return prefix !== undefined && name.toLowerCase().startsWith(prefix);
}

/** The provider whose people an object belongs to; also for providers that are no longer configured. */
export function providerOfPeople(
  owner: string,
  object: { readonly name: string; readonly description: string },
): string | undefined {
  if (!isOurs(owner, object.name, object.description)) return undefined;
  const provider =
    parseDescription(object.description)?.provider ?? decoded(/ people=(\S+)$/.exec(object.description)?.[1]);
  if (provider === undefined) return undefined;
  const isPeoples = object.name.toLowerCase() === peopleName(owner, provider).toLowerCase();
  return isPeoples || personOfRole(owner, provider, object) !== undefined ? provider : undefined;
}

function parseDescription(description: string) {
  const [, provider, subject, group] = / person=([^/\s]+)\/(\S+) group=(\S+)$/.exec(description) ?? [];
  const found = [provider, subject, group].map(decoded);
  const [a, b, c] = found;
  return a === undefined || b === undefined || c === undefined
    ? undefined
    : { provider: a, subject: b, group: c };
}

/** The prefix of all roles of a provider's people; undefined if the provider's name does not fit into role names. */
function personPrefix(owner: string, provider: string): string | undefined {
  const prefix = personName(owner, provider, '', '').slice(0, -HASH_LENGTH).toLowerCase();
  return prefix.endsWith(`-${provider.replaceAll('-', '_')}-_person-`.toLowerCase()) ? prefix : undefined;
}

const HASH_LENGTH = 40;

function decoded(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
