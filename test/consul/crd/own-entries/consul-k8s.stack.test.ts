import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { toIntentionsText, toResource } from '../../../../src/consul/crd/own-entries.js';
import { parseEntry } from '../../../../src/consul/parse-entry.js';
import type { NewSource } from '../../../../src/model/intention.js';
import { isRecord } from '../../../../src/model/is-record.js';
import { startCrdCommandLine } from '../../../support/crd-command-line.js';
import { everyPermission, HOSTILE } from '../../../support/every-permission.js';

/** A directory with `consul.hashicorp.com_serviceintentions.yaml` and `…_servicedefaults.yaml` of consul-k8s. */
const CRDS = process.env.CONSUL_K8S_CRDS;

/** What the API server itself takes as metadata of a resource, as far as scopemesh writes it. */
const TEXTS = { type: 'object', additionalProperties: { type: 'string' } };
const METADATA = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: { name: { type: 'string' }, namespace: { type: 'string' }, labels: TEXTS, annotations: TEXTS },
};

/** Kubernetes drops a field that the schema does not have, without a word: here it is an error. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (!isRecord(schema)) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, strict(value)]));
  const isOpen = 'additionalProperties' in inner || inner['x-kubernetes-preserve-unknown-fields'] === true;
  return inner.type === 'object' && !isOpen ? { ...inner, additionalProperties: false } : inner;
}

/** What is wrong with a manifest, by the custom resource definition of its kind. */
function faultsOf(manifest: unknown): readonly string[] {
  const { apiVersion, kind } = Object(manifest) as Readonly<Record<string, unknown>>;
  const file = `consul.hashicorp.com_${String(kind).toLowerCase()}.yaml`;
  const { spec } = parse(readFileSync(join(CRDS ?? '', file), 'utf8'));
  expect(spec.names.kind).toBe(kind);
  const version = spec.versions.find(({ name }: { name: string }) => `${spec.group}/${name}` === apiVersion);
  expect(version?.served).toBe(true);
  const { properties, ...rest } = strict(version.schema.openAPIV3Schema) as { properties: object };
  const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { 'date-time': true, int32: true } });
  const validate = ajv.compile({ ...rest, properties: { ...properties, metadata: METADATA } });
  validate(manifest);
  return (validate.errors ?? []).map(
    (error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`,
  );
}

const named = (name: string) => ({ name, namespace: 'default', partition: 'default' });
const PLACE = { partition: 'default', namespace: 'consul' };

describe.skipIf(CRDS === undefined)(
  'manifests by the CRDs of consul-k8s (skipped without CONSUL_K8S_CRDS=DIR: they are not part of this repository)',
  () => {
    it('takes every field that scopemesh writes', () => {
      const description = HOSTILE;
      const sources: readonly NewSource[] = [
        { ...named('web'), description, access: { kind: 'http', permissions: everyPermission('users') } },
        { name: 'api', namespace: 'other', partition: 'east', description, access: { kind: 'allow' } },
        { ...named(HOSTILE), description, access: { kind: 'deny' } },
      ];
      const destination = { ...named(HOSTILE), namespace: 'other' };
      const manifest = parse(toIntentionsText(destination, undefined, sources, undefined, PLACE, '# header'));
      expect(manifest.spec.sources).toHaveLength(3);
      expect(faultsOf(manifest)).toEqual([]);
    });

    it('takes an entry that Consul had, with what others wrote into it', () => {
      const raw = {
        Kind: 'service-intentions',
        Name: 'orders',
        JWT: { Providers: [{ Name: 'users', VerifyClaims: [{ Path: ['a'], Value: 'b' }] }] },
        Meta: { team: 'shop' },
        Sources: [
          { Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul', Description: 'scopemesh:payments' },
          { Name: 'far', Peer: 'east', Action: 'deny', Precedence: 9, Type: 'consul' },
          { Name: 'same', SamenessGroup: 'all', Action: 'allow', Precedence: 9, Type: 'consul' },
          {
            Name: 'bot',
            Precedence: 9,
            Type: 'consul',
            Permissions: [
              { Action: 'deny', HTTP: { PathPrefix: '/a' } },
              {
                Action: 'allow',
                HTTP: {
                  PathRegex: '/b',
                  Methods: ['GET'],
                  Header: [
                    { Name: 'a', Contains: 'b', IgnoreCase: true },
                    { Name: 'a', Prefix: 'b', Invert: true },
                    { Name: 'a', Suffix: 'b' },
                    { Name: 'a', Regex: 'b' },
                  ],
                },
                JWT: { Providers: [{ Name: 'users' }, { Name: 'bots' }] },
              },
            ],
          },
        ],
        CreateIndex: 7,
        ModifyIndex: 8,
        Hash: 9,
      };
      const entry = parseEntry(raw, 'consul');
      const manifest = toResource(entry.destination, entry, entry.sources, undefined, PLACE);
      expect(Object(manifest.spec).sources).toHaveLength(4);
      expect(faultsOf({ apiVersion: 'consul.hashicorp.com/v1alpha1', ...manifest })).toEqual([]);
    });

    it('takes the files that scopemesh apply writes, of both kinds', async () => {
      const { cli, directory } = await startCrdCommandLine();
      await cli.run(['apply', '--yes']);
      const manifests = readdirSync(directory).map((name) =>
        parse(readFileSync(join(directory, name), 'utf8')),
      );
      expect(manifests.map(({ kind }) => kind).toSorted()).toEqual([
        'ServiceDefaults',
        'ServiceIntentions',
        'ServiceIntentions',
      ]);
      for (const manifest of manifests) expect(faultsOf(manifest)).toEqual([]);
    });

    it.each([
      ['an unknown field', { permissions: [{ action: 'allow', http: { pathexact: '/v1' } }] }, 'pathexact'],
      ['another type', { permissions: [{ action: 'allow', http: { methods: 'GET' } }] }, 'must be array'],
    ])('refuses %s', (_, source, fault) => {
      const spec = { destination: { name: 'orders' }, sources: [{ name: 'web', ...source }] };
      const head = { apiVersion: 'consul.hashicorp.com/v1alpha1', kind: 'ServiceIntentions' };
      const faults = faultsOf({ ...head, metadata: { name: 'orders' }, spec });
      expect(faults).toEqual([expect.stringContaining(fault)]);
    });
  },
);
