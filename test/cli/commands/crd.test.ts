import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type CommandLine, createCommandLine, type DoctorFinding } from '../../support/command-line.js';
import { type Mesh, startMesh } from '../../support/mesh.js';
import { bot, web } from '../../support/orders-command-line.js';

let mesh: Mesh;
let cli: CommandLine;
let directory: string;

const ORDERS = 'serviceintentions.orders.yaml';
const BILLING = 'serviceintentions.billing.yaml';
const DEFAULTS = 'servicedefaults.orders.yaml';

beforeEach(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  directory = join(cli.directory, 'manifests');
  mkdirSync(directory);
  const { address, managementToken: token } = mesh.consul;
  cli.configure({ consul: { address, token, target: { kind: 'crd', directory, namespace: 'shop' } } });
  await mesh.register('orders');
  await mesh.register('billing');
  await mesh.register('web', { client: 'web-app' });
  await mesh.register('bot', { client: 'bot' });
  cli.idp(web, bot);
});
afterEach(async () => {
  cli.close();
  await mesh.consul.close();
});

const contents = () =>
  Object.fromEntries(
    readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  );
const manifest = (name: string) => parse(readFileSync(join(directory, name), 'utf8')) as unknown;

describe('consul.target crd', () => {
  it('writes one manifest for each destination, and the protocol that an L7 rule needs', async () => {
    const { out, status } = await cli.run(['apply', '--yes']);
    expect([status, out]).toEqual([0, expect.stringContaining('Applied: 2 written.')]);
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
    expect((await cli.run(['apply', '--yes'])).status).toBe(0);
    expect(sourcesOf()).toEqual(['web']);
    expect(readdirSync(directory).toSorted()).toEqual([
      'kustomization.yaml',
      DEFAULTS,
      ORDERS,
      'serviceintentions.theirs.yaml',
    ]);
    expect(contents()['serviceintentions.theirs.yaml']).toBe('kind: ServiceIntentions\n');
  });

  it('fails for a file of others at the place of a manifest, and for a directory that is not there', async () => {
    writeFileSync(join(directory, BILLING), 'mine\n');
    const { status, err } = await cli.run(['apply', '--yes']);
    expect([status, err]).toEqual([1, expect.stringContaining('does not carry the header of this owner')]);
    expect(contents()[BILLING]).toBe('mine\n');
    expect(statSync(join(directory, ORDERS)).isFile()).toBe(true);
    rmSync(directory, { recursive: true });
    const missing = await cli.run(['plan']);
    expect([missing.status, missing.err]).toEqual([1, expect.stringContaining('does not exist; create it')]);
  });

  it('holds a destination whose entry in Consul is of others, and takes over what it wrote to Consul before', async () => {
    await mesh.speaks('orders', 'http');
    await mesh.write('orders', [
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
      summary: { applied: 1, held: 1 },
      holds: [{ reason: 'ManagedElsewhere' }],
    });
    expect(out).toContain('makes this entry from the ServiceIntentions resource');
    expect(readdirSync(directory)).toEqual([ORDERS]);
    expect(await mesh.access('orders')).toEqual({ web: 'allow' });
    const findings = (await cli.run(['doctor', '--json'])).json().findings as DoctorFinding[];
    const messageOf = (id: string) => findings.find((each) => each.id === id)?.message;
    expect(messageOf('manifests.unsynced')).toContain('say for orders:');
    expect(messageOf('mesh.kubernetes')).toContain('consul-k8s makes the intentions of billing');
  });

  it('says of an entry that is only in Consul how to delete it', async () => {
    await mesh.write('billing', [{ Name: 'admin', Action: 'allow' }]);
    const { out } = await cli.run(['explain', 'bot', 'billing']);
    expect(out).toContain('consul config delete -kind service-intentions -name billing');
  });
});
