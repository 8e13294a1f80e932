import { readFileSync } from 'node:fs';

/** An object of the Management API, as it goes over the wire. */
type Wire = Readonly<Record<string, unknown>>;

const bodies = new Map<string, Wire>();

/** A documented object (test/fixtures/auth0), with these fields instead of its own. */
export function shape<T extends object>(name: string, fields: T): Wire & T {
  const body = bodies.get(name) ?? read(name);
  bodies.set(name, body);
  return { ...body, ...fields };
}

function read(name: string): Wire {
  const text = readFileSync(new URL(`../../fixtures/auth0/${name}.json`, import.meta.url), 'utf8');
  const { body } = JSON.parse(text) as { readonly body: Wire };
  return body;
}
