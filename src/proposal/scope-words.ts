import type { Grant } from '../model/client.js';

/** Longer names are not looked into: they come from outside, and the parts of a name are quadratic. */
const MAX_PARTS = 12;

/**
 * The destinations that a text names: `orders:read`, `api.orders` and `read-orders` name orders. If one name contains
 * another, the longer one counts: `orders-api:read` names only orders-api. The order is that of the text.
 */
export function destinationsIn(text: string, isDestination: (name: string) => boolean): readonly string[] {
  return [...new Set(text.split(/[^a-z0-9-]+/).flatMap((word) => namesIn(word.split('-'), isDestination)))];
}

function namesIn(parts: readonly string[], isDestination: (name: string) => boolean): readonly string[] {
  if (parts.length > MAX_PARTS) return [];
  for (let length = parts.length; length > 0; length--) {
    for (let from = 0; from + length <= parts.length; from++) {
      const name = parts.slice(from, from + length).join('-');
      if (name === '' || !isDestination(name)) continue;
      return [
        ...namesIn(parts.slice(0, from), isDestination),
        name,
        ...namesIn(parts.slice(from + length), isDestination),
      ];
    }
  }
  return [];
}

const READS = /(?<![a-z])(?:read|reads|reader|readonly|view|viewer|get|list|search)(?![a-z])/i;
const WRITES = /(?<![a-z])(?:write|writes|writer|create|update|delete|edit|editor|modify)(?![a-z])/i;
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Whether the scope's name says that it is for this method. False too if the name does not say. */
export function namesMethod({ name }: Grant, method: string): boolean {
  const said = namedLevel(name);
  return said !== undefined && SAFE.has(method) === (said === 'read');
}

/** Whether the scope's name says that it is for some methods alone. */
export function namesSomeMethods({ name }: Grant): boolean {
  return namedLevel(name) !== undefined;
}

/** The level that a scope's name says; undefined if it says none, or both. */
export function namedLevel(name: string): 'read' | 'write' | undefined {
  const [reads, writes] = [READS.test(name), WRITES.test(name)];
  return reads === writes ? undefined : reads ? 'read' : 'write';
}

/** Words that say how, or that it is about Consul, and not what. */
const GENERAL = new Set(['access', 'acl', 'api', 'connect', 'consul', 'key', 'kv', 'scope', 'service']);

/** The words of a scope's name that say what it is about. */
export function topicsOf(name: string): readonly string[] {
  const words = name.toLowerCase().split(/[^a-z0-9]+/);
  return words.filter((word) => word !== '' && !GENERAL.has(word) && !READS.test(word) && !WRITES.test(word));
}

/** Scopes that OpenID Connect and OAuth define: they say what a token contains, not what it opens. */
const STANDARD = new Set([
  'openid',
  'profile',
  'email',
  'address',
  'phone',
  'offline_access',
  'roles',
  'groups',
  'web-origins',
  'acr',
  'basic',
  'microprofile-jwt',
  'service_account',
]);

export function isStandardScope({ name }: Grant): boolean {
  return STANDARD.has(name);
}
