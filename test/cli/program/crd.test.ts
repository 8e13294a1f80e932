import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { CommandLine, DoctorFinding } from '../../support/command-line.js';
import { startCrdCommandLine } from '../../support/crd-command-line.js';
import type { Mesh } from '../../support/mesh.js';
import { bot, web } from '../../support/orders-command-line.js';

let mesh: Mesh;
let cli: CommandLine;
let directory: string;
let target: Readonly<Record<string, unknown>>;

const ORDERS = 'serviceintentions.orders.yaml';
const BILLING = 'serviceintentions.billing.yaml';
const DEFAULTS = 'servicedefaults.orders.yaml';

beforeEach(async () => {
  ({ mesh, cli, directory, target } = await startCrdCommandLine());
});

const contents = () =>
  Object.fromEntries(
    readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  );
const manifest = (name: string) => parse(readFileSync(join(directory, name), 'utf8')) as unknown;
const findings = async () => {
  const found = (await cli.run(['doctor', '--json'])).json().findings as DoctorFinding[];
  return new Map(found.map(({ id, message }) => [id, message]));
};

describe('consul.target crd', () => {
  it('writes one manifest for each destination, and the protocol that an L7 rule needs', async () => {
    const { out, status } = await cli.run(['apply', '--yes']);
    expect([status, out]).toEqual([0, expect.stringContaining('Applied: 2 written.')]);
    expect(out).toContain('The protocol of orders becomes http');
    expect(readdirSync(directory).toSorted()).toEqual([DEFAULTS, BILLING, ORDERS]);
    expect(manifest(ORDERS)).toEqual({
      apiVersion: 'consul.hashicorp.com/v1alpha1',
      kind: 'ServiceIntentions',
      metadata: {
        name: 'orders',
        namespace: 'shop',
        labels: { 'app.kubernetes.io/managed-by': 'scopemesh' },
        annotations: { 'consul.hashicorp.com/migrate-entry': 'true' },
      },
      spec: {
        destination: { name: 'orders' },
        sources: [
          {
            name: 'web',
            permissions: [
              {
                action: 'allow',
                http: { methods: ['GET', 'HEAD'], pathRegex: expect.stringContaining('orders') },
              },
            ],
            description: 'scopemesh:payments client=main/web-app',
          },
        ],
      },
    });
    expect(manifest(DEFAULTS)).toMatchObject({ kind: 'ServiceDefaults', spec: { protocol: 'http' } });
    expect(await mesh.entry('orders')).toBeUndefined();
    const before = contents();
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(contents()).toEqual(before);
  });

  it('takes out the source, and the file with the last source, and leaves what others have there', async () => {
    writeFileSync(join(directory, 'kustomization.yaml'), 'resources: []\n');
    writeFileSync(join(directory, 'serviceintentions.theirs.yaml'), 'kind: ServiceIntentions\n');
    await mesh.register('api', { client: 'api-app' });
    const api = { ...web, clientId: 'api-app', attributes: { 'consul-services': 'api' } };
    cli.idp(web, api, bot);
    await cli.run(['apply', '--yes']);
    const sourcesOf = () => Object(manifest(ORDERS)).spec.sources.map(({ name }: { name: string }) => name);
    expect(sourcesOf()).toEqual(['api', 'web']);
    cli.idp(web, { ...api, scopes: [] }, { ...bot, scopes: [] });
    // A manifest that lost its first line must not keep the revocations of others.
    writeFileSync(join(directory, 'serviceintentions.ledger.yaml'), '# scopemesh:payments\n');
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(sourcesOf()).toEqual(['web']);
    rmSync(join(directory, 'serviceintentions.ledger.yaml'));
    expect(readdirSync(directory).toSorted()).toEqual([
      'kustomization.yaml',
      DEFAULTS,
      ORDERS,
      'serviceintentions.theirs.yaml',
    ]);
    expect(contents()['serviceintentions.theirs.yaml']).toBe('kind: ServiceIntentions\n');
  });

  it('holds a destination whose entry in Consul is of others, and says what to do', async () => {
    await mesh.write('orders', [
      { Name: 'admin', Action: 'allow' },
      { Name: 'web', Action: 'allow', Description: 'scopemesh:payments client=main/web-app' },
    ]);
    await mesh.request('PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name: 'billing',
      Meta: { 'external-source': 'kubernetes' },
      Sources: [{ Name: 'admin', Action: 'allow' }],
    });
    const { status, out, json } = await cli.run(['apply', '--yes', '--json']);
    expect(status).toBe(3);
    expect(json()).toMatchObject({
      summary: { applied: 0, held: 2 },
      holds: [{ reason: 'ManagedElsewhere' }, { reason: 'ManagedElsewhere' }],
    });
    expect(out).toContain('makes this entry from the ServiceIntentions resource');
    expect(out).toContain('consul config delete -kind service-intentions -name orders');
    expect(readdirSync(directory)).toEqual([]);
    writeFileSync(join(directory, 'serviceintentions.ledger.yaml'), '# scopemesh:payments\n');
    const messages = await findings();
    expect(messages.get('manifests.broken')).toContain('serviceintentions.ledger.yaml');
    expect(messages.get('manifests.mixed')).toContain('did not make: orders;');
    expect(messages.get('mesh.kubernetes')).toContain('consul-k8s makes the intentions of billing');
  });

  it('writes no file in mode observe', async () => {
    const { address, managementToken: token } = mesh.consul;
    const consul = { address, token, target: { ...target, serviceDefaults: true } };
    cli.configure({ mode: 'observe', consul });
    const { status, out } = await cli.run(['plan', '--detailed-exitcode']);
    expect([status, out]).toEqual([2, expect.stringContaining('2 to open (mode observe: not written)')]);
    await cli.run(['apply', '--yes']);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('opens and never closes in mode extend', async () => {
    const { address, managementToken: token } = mesh.consul;
    cli.configure({
      mode: 'extend',
      consul: { address, token, target: { ...target, serviceDefaults: true } },
    });
    await cli.run(['apply', '--yes']);
    const before = contents();
    expect(Object.keys(before).toSorted()).toEqual([DEFAULTS, BILLING, ORDERS]);
    cli.idp({ ...web, scopes: [] }, { ...bot, scopes: [] });
    const { status, json } = await cli.run(['apply', '--yes', '--json']);
    expect([status, json()]).toMatchObject([
      3,
      { summary: { applied: 0, held: 2 }, holds: [{ reason: 'ModeForbids' }, { reason: 'ModeForbids' }] },
    ]);
    expect(contents()).toEqual(before);
  });

  it('moves what it wrote to Consul before, closes there what is revoked, and says what is not in force', async () => {
    const { address, managementToken: token } = mesh.consul;
    await mesh.speaks('orders', 'http');
    cli.configure({ consul: { address, token } });
    await cli.run(['apply', '--yes']);
    expect(Object.keys((await mesh.access('orders')) ?? {})).toEqual(['web']);
    cli.configure({ consul: { address, token, target } });
    cli.idp({ ...web, scopes: [] }, bot);
    const { status, out } = await cli.run(['plan', '--detailed-exitcode']);
    expect([status, out]).toEqual([2, expect.stringContaining('the manifests of billing, orders yet')]);
    const { out: explained } = await cli.run(['explain', 'web', 'orders']);
    expect(explained).toContain('Consul does not have it yet');
    expect((await cli.run(['apply', '--yes'])).out).toContain('Applied: 2 written.');
    expect([await mesh.entry('orders'), await mesh.access('billing')]).toEqual([undefined, { bot: 'allow' }]);
    expect(readdirSync(directory)).toEqual([BILLING]);
    expect((await cli.run(['plan'])).out).toContain('No changes. Consul matches the identity provider.');
  });
});
