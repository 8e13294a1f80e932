import { describe, expect, it } from 'vitest';
import { emptyChain, extendChain } from '../../../src/decisions/chain.js';
import { toCheckpointEvent } from '../../../src/decisions/checkpoint.js';
import { decisionJsonSchema } from '../../../src/decisions/decision-schema.js';
import { toCloudEvent } from '../../../src/decisions/envelope.js';
import { typeSchemas } from '../../../src/decisions/type-schemas.js';
import { fieldOf } from '../../../src/model/field-of.js';
import { auditedTrail } from '../../support/audited-trail.js';
import { decision } from '../../support/decisions.js';
import { eventJudge, judgeEvent, readSchemas } from '../../support/event-schemas.js';

// The schemas that consumers have. After a release, replace them by docs/decision.schema.json and docs/schemas/.
const PUBLISHED = readSchemas(new URL('../../fixtures/decisions/published/', import.meta.url));
const NOW: ReadonlyMap<string, unknown> = new Map([
  ['decision.schema.json', decisionJsonSchema()],
  ...[...typeSchemas()].map(([name, schema]): [string, unknown] => [`schemas/${name}.schema.json`, schema]),
]);

/** What a consumer that was written for the older schema would miss in the newer one. */
function breaks(older: unknown, newer: unknown, path = ''): string[] {
  const found: string[] = [];
  for (const name of ['type', 'const', '$ref']) {
    const [was, is] = [fieldOf(older, name), fieldOf(newer, name)].map((value) => JSON.stringify(value));
    if (was !== undefined && was !== is) found.push(`${path}: ${name} was ${was} and is ${is}`);
  }
  for (const name of textsIn(older, 'required'))
    if (!textsIn(newer, 'required').includes(name)) found.push(`${path}.${name} is not required any more`);
  for (const value of textsIn(older, 'enum'))
    if (!textsIn(newer, 'enum').includes(value)) found.push(`${path}: ${value} is gone`);
  const after = fieldOf(newer, 'properties');
  for (const [name, schema] of Object.entries(fieldOf(older, 'properties') ?? {})) {
    const present = fieldOf(after, name);
    if (present === undefined) found.push(`${path}.${name} is gone`);
    else found.push(...breaks(schema, present, `${path}.${name}`));
  }
  const items = fieldOf(older, 'items');
  if (items !== undefined) found.push(...breaks(items, fieldOf(newer, 'items'), `${path}[]`));
  const forms = listOf(older, 'anyOf');
  const isKnown = (form: unknown) => forms.some((known) => breaks(known, form).length === 0);
  if (forms.length > 0 && !listOf(newer, 'anyOf').every(isKnown)) found.push(`${path} has a new form`);
  return found;
}

/** Of all schemas, by file. */
function allBreaks(now: ReadonlyMap<string, unknown>): string[] {
  return [...PUBLISHED].flatMap(([file, schema]) =>
    now.has(file) ? breaks(schema, now.get(file), file) : [`${file} is gone`],
  );
}

function listOf(schema: unknown, name: string): readonly unknown[] {
  const value = fieldOf(schema, name);
  return Array.isArray(value) ? value : [];
}

function textsIn(schema: unknown, name: string): readonly string[] {
  return listOf(schema, name).filter((each) => typeof each === 'string');
}

const checkpoint = toCheckpointEvent({
  id: '1',
  time: '2026-03-01T10:00:00.000Z',
  source: 'scopemesh/payments',
  log: 'one',
  note: 'a note',
  tree: { size: 1, roots: [Buffer.alloc(32)] },
});

describe('the schemas of events', () => {
  it('take nothing away from consumers of the last published version', () => {
    expect(allBreaks(NOW)).toEqual([]);
  });

  it('describe events that the last published version accepts', () => {
    const judge = eventJudge(PUBLISHED);
    const { chained } = extendChain(emptyChain('one'), [
      decision({
        before: { access: 'allow' },
        after: null,
        residual: { nextRequests: true, openStreamsSeconds: 'unknown', foreignAllows: ['* -> orders'] },
      }),
    ]);
    for (const event of [...chained.map(toCloudEvent), checkpoint]) expect(judge(event)).toBeUndefined();
  });

  it('accept the decisions of a history, and what each kind of resource has', () => {
    for (const event of [...auditedTrail().map(toCloudEvent), checkpoint])
      expect(judgeEvent(event)).toBeUndefined();
    const event = toCloudEvent(decision({ before: null, after: { access: 'everything' } }));
    expect(judgeEvent(event)).toContain('data/after');
    const { source: _, ...resource } = decision().resource;
    expect(judgeEvent(toCloudEvent(decision({ before: null, after: null, resource })))).toContain('source');
    expect(judgeEvent({ ...event, type: 'dev.scopemesh.peer.created' })).toContain('no schema');
  });

  it.each([
    ['a field', '"subject":', '"topic":', '.subject is gone'],
    ['a required field', '"required":["action",', '"required":[', '.data.action is not required any more'],
    ['a reason', '"ScopeRevoked"', '"ScopeTaken"', 'ScopeRevoked is gone'],
    ['a type', '"integer"', '"string"', 'type was "integer" and is "string"'],
    ['a form of access', '"const":"other"', '"const":"none"', '.data.after has a new form'],
    ['a resource', '"const":"intention"', '"const":"edge"', 'const was "intention" and is "edge"'],
  ])('would fail this test without %s, and say so', (_, text, instead, said) => {
    const changed = new Map(
      [...NOW].map(([file, schema]) => [file, JSON.parse(JSON.stringify(schema).replaceAll(text, instead))]),
    );
    expect(allBreaks(changed)).toContainEqual(expect.stringContaining(said));
  });
});
