import { readFileSync } from 'node:fs';

/** An object of the Okta API, as it goes over the wire. */
export type Wire = Record<string, unknown>;

/** A documented object (test/fixtures/okta), with these fields instead of its own. */
export function shape(name: string, fields: Wire): Wire {
  const text = readFileSync(new URL(`../../fixtures/okta/${name}.json`, import.meta.url), 'utf8');
  const { body } = JSON.parse(text) as { body: Wire };
  return merge(body, fields);
}

function merge(template: Wire, over: Wire): Wire {
  const merged: Wire = { ...template };
  for (const [key, value] of Object.entries(over)) {
    const known = merged[key];
    merged[key] = isMap(known) && isMap(value) && key !== 'profile' ? merge(known, value) : value;
  }
  return merged;
}

function isMap(value: unknown): value is Wire {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
