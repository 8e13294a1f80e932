import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { emptyChain, extendChain } from '../../src/decisions/chain.js';
import { decisionJsonSchema } from '../../src/decisions/decision-schema.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import { fieldOf } from '../../src/model/field-of.js';
import { decision } from '../support/decisions.js';

// The schema that consumers have. After a release, replace it by docs/decision.schema.json.
const PUBLISHED: unknown = JSON.parse(
  readFileSync(new URL('../fixtures/decisions/published.schema.json', import.meta.url), 'utf8'),
);

/** What a consumer that was written for the older schema would miss in the newer one. */
function breaks(older: unknown, newer: unknown, path = ''): string[] {
  const found: string[] = [];
  if (typeOf(older) !== undefined && typeOf(older) !== typeOf(newer))
    found.push(`${path}: ${typeOf(older)} is ${typeOf(newer)}`);
  const has = (schema: unknown, list: string) => textsIn(fieldOf(schema, list));
  for (const name of has(older, 'required'))
    if (!has(newer, 'required').includes(name)) found.push(`${path}.${name} is not required any more`);
  for (const value of has(older, 'enum'))
    if (!has(newer, 'enum').includes(value)) found.push(`${path}: ${value} is gone`);
  const after = fieldOf(newer, 'properties');
  for (const [name, schema] of Object.entries(fieldOf(older, 'properties') ?? {})) {
    const present = fieldOf(after, name);
    if (present === undefined) found.push(`${path}.${name} is gone`);
    else found.push(...breaks(schema, present, `${path}.${name}`));
  }
  const items = fieldOf(older, 'items');
  if (items !== undefined) found.push(...breaks(items, fieldOf(newer, 'items'), `${path}[]`));
  return found;
}

function typeOf(schema: unknown): unknown {
  return fieldOf(schema, 'type') ?? fieldOf(schema, 'const');
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

describe('the schema of decisions', () => {
  it('takes nothing away from consumers of the last published version', () => {
    expect(breaks(PUBLISHED, decisionJsonSchema())).toEqual([]);
  });

  it('describes events that the last published version accepts', () => {
    const [chained] = extendChain(emptyChain('one'), [
      decision({
        residual: { nextRequests: true, openStreamsSeconds: 'unknown', foreignAllows: ['* -> orders'] },
      }),
    ]).chained;
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(Object(PUBLISHED));
    validate(chained && toCloudEvent(chained));
    expect(validate.errors).toBeNull();
  });

  it.each([
    ['a field', (schema: string) => schema.replaceAll('"subject"', '"topic"')],
    ['a reason', (schema: string) => schema.replaceAll('"ScopeRevoked"', '"ScopeTaken"')],
    ['a type', (schema: string) => schema.replaceAll('"integer"', '"string"')],
  ])('would fail this test without %s', (_, change) => {
    expect(breaks(PUBLISHED, JSON.parse(change(JSON.stringify(decisionJsonSchema()))))).not.toEqual([]);
  });
});
