import type { Grant } from '../model/client.js';
import { jsonIn } from '../model/json-in.js';
import type { Evidence } from '../model/trigger.js';

/** A scope as one text, its API included: an equal name at another API gives another text. */
export function toGrantText({ api, name }: Grant): string {
  if (api !== undefined) return JSON.stringify([api, name]);
  return name.startsWith('[') ? JSON.stringify([name]) : name;
}

/** The inverse of `toGrantText`. Any other text is the name of a scope without an API. */
export function parseGrantText(text: string): Grant {
  if (!text.startsWith('[')) return { name: text };
  const value = jsonIn(text);
  const [first, second]: unknown[] = Array.isArray(value) ? value : [];
  if (typeof first !== 'string') return { name: text };
  return typeof second === 'string' ? { api: first, name: second } : { name: first };
}

export function sameGrant(a: Grant, b: Grant): boolean {
  return a.api === b.api && a.name === b.name;
}

/** The scopes that an event named. */
export function namedScopes({ api, scopes = [] }: Evidence): readonly Grant[] {
  return scopes.map((name) => (api === undefined ? { name } : { api, name }));
}

/** The names of scopes, each once; the same name at two APIs counts once. */
export function namesOf(grants: readonly Grant[]): readonly string[] {
  return [...new Set(grants.map(({ name }) => name))];
}
