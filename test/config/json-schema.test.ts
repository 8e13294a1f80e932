// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configJsonSchema } from '../../config/json-schema.js';
import { loadConfig } from '../../config/load.js';
import { readTextFile } from '../../config/read-text-file.js';

const file = (name: string) => new URL(`../../config/${name}`, import.meta.url).pathname;

const environment = {
  SCOPEMESH_CONSUL_TOKEN: 'a',
  KEYCLOAK_CLIENT_SECRET: 'b',
  KEYCLOAK_WEBHOOK_SECRET: 'c',
  PARTNERS_TOKEN: 'd',
  PARTNERS_WEBHOOK_SECRET: `whsec_${'A'.repeat(40)}`,
};

const validate = new Ajv2020({ strict: false }).compile(configJsonSchema());

describe('The example files', () => {
  it.each(['minimal.yaml', 'example.yaml'])('%s is a good configuration, also to an editor', async (name) => {
    const { config, source } = await loadConfig({ path: file(name), environment, readFile: readTextFile });

    expect(config.owner).toBe('payments');
    expect(source).toBe(file(name));
    expect(validate(parse(await readFile(file(name), 'utf8'))), JSON.stringify(validate.errors)).toBe(true);
  });

  it('example.yaml writes out every key of the schema, in force or as a comment', async () => {
    const text = await readFile(file('example.yaml'), 'utf8');
    for (const key of propertyNames(configJsonSchema())) expect(text, key).toMatch(wordOf(key));
  });
});

describe('The JSON Schema', () => {
  it('that is committed is the generated one (else run `npx tsx config/write-schema.ts`)', async () => {
    expect(JSON.parse(await readFile(file('scopemesh.schema.json'), 'utf8'))).toEqual(configJsonSchema());
  });

  it.each([
    ['an unknown key', { mod: 'enforce' }],
    ['a wrong mode', { mode: 'enforced' }],
    ['a duration without a unit', { resync: '5' }],
    ['an unknown key of a rule', { scopes: { a: { to: 'a', method: ['GET'] } } }],
    ['a queue without its Redis', { queue: { kind: 'bullmq' } }],
  ])('refuses %s', async (_, wrong) => {
    const good = parse(await readFile(file('minimal.yaml'), 'utf8'));

    expect(validate(good)).toBe(true);
    expect(validate({ ...good, ...wrong })).toBe(false);
  });

  it('accepts a reference wherever a value is expanded', async () => {
    const good = parse(await readFile(file('minimal.yaml'), 'utf8'));
    const references = {
      mode: '${MODE}',
      resync: '${R:-5m}',
      guards: { maxRevocations: { percent: '${P}' } },
      login: '${L}',
    };

    expect(validate({ ...good, ...references }), JSON.stringify(validate.errors)).toBe(true);
  });
});

function wordOf(key: string): RegExp {
  return new RegExp(`(?<![\\w$])${key.replace('$', '\\$')}(?!\\w)`);
}

function propertyNames(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const own =
    'properties' in schema && typeof schema.properties === 'object'
      ? Object.keys(schema.properties ?? {})
      : [];
  return [...own, ...Object.values(schema).flatMap(propertyNames)];
}
