import { readFileSync } from 'node:fs';

/** An object of Graph, as it goes over the wire. */
export type Wire = Readonly<Record<string, unknown>>;

/** A documented object (test/fixtures/entra), with these fields instead of its own. */
export function shape<T extends Wire>(name: string, fields: T): Wire & T {
  const text = readFileSync(new URL(`../../fixtures/entra/${name}.json`, import.meta.url), 'utf8');
  const { body } = JSON.parse(text) as { readonly body: Wire };
  return { ...body, ...fields };
}
