import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { makeImage } from '../../../deploy/release/image.js';
import { run } from '../../../deploy/release/run.js';
import { ROOT } from '../../docs/manual.js';
import { connectKeycloak, type KeycloakOfRun } from '../../stack/connect-keycloak.js';
import { type ConsulHandle, startConsul } from '../../stack/consul.js';
import { type Mesh, startMesh } from '../../stack/envoy.js';
import { buildOptions, forwardInto, podmanEnvironment } from '../../stack/podman.js';
import { createRunDirectory, removeRunDirectory } from '../../stack/process.js';
import { find, type Manifest, ONE, rendered, runProgram, type Values } from '../helm.js';

const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const REALM = 'image';
// Podman as root needs no service of the system, and the network of a pod is root's.
const isRoot = process.getuid?.() === 0;
const CALL = { from: 'web', to: 'orders', method: 'GET', path: '/v1/orders/7' };

let directory: string;
let consul: ConsulHandle;
let keycloak: KeycloakOfRun;
let mesh: Mesh;
beforeAll(async () => {
  if (!isRoot) return;
  for (const [name, value] of Object.entries(await podmanEnvironment())) vi.stubEnv(name, value);
  directory = await createRunDirectory('image');
  [consul, keycloak] = await Promise.all([startConsul(), connectKeycloak()]);
  mesh = await startMesh(consul, {
    services: [
      { name: 'orders', protocol: 'http' },
      { name: 'web', upstreams: ['orders'], meta: { 'oauth-client-id': 'web-app' } },
    ],
  });
});
afterAll(async () => {
  await mesh?.stop();
  await consul?.stop();
  if (isRoot) await removeRunDirectory(directory);
  vi.unstubAllEnvs();
});

const NAME = 'scopemesh-0';
const SECRET = 'the-secret';
/** A ConfigMap in the place of the Secret: Podman 4.3 ends with a fault at the one, and hands out base64. */
const asFiles = (volume: { readonly name: string; readonly secret?: object }) =>
  volume.secret === undefined ? volume : { name: volume.name, configMap: { name: SECRET } };

/** Ports and probes belong to a pod that has a network. */
const withoutNetwork = ({ ports, startupProbe, livenessProbe, readinessProbe, ...rest }: Values) => rest;

/** The chart's pod as the control plane would make it, and its volume. */
async function startPod(manifests: readonly Manifest[], secrets: Readonly<Record<string, string>>) {
  const { template, volumeClaimTemplates } = Object(find(manifests, 'StatefulSet').spec);
  const [{ spec: claim }] = volumeClaimTemplates;
  const state = { name: 'state', persistentVolumeClaim: { claimName: `state-${NAME}` } };
  const spec = {
    ...template.spec,
    containers: template.spec.containers.map(withoutNetwork),
    volumes: [...template.spec.volumes.map(asFiles), state],
  };
  const objects = [
    find(manifests, 'ConfigMap'),
    { kind: 'ConfigMap', metadata: { name: SECRET }, data: secrets },
    { kind: 'PersistentVolumeClaim', metadata: { name: `state-${NAME}` }, spec: claim },
    { kind: 'Pod', metadata: { name: NAME, labels: template.metadata.labels }, spec },
  ];
  const file = join(directory, 'pod.yaml');
  await writeFile(file, objects.map((each) => stringify({ apiVersion: 'v1', ...each })).join('---\n'));
  // Also what a test left that was killed.
  const remove = () => {
    spawnSync('podman', ['play', 'kube', '--down', file]);
    spawnSync('podman', ['volume', 'rm', '--all', '--force']);
  };
  remove();
  run('podman', ['play', 'kube', '--network', 'none', file]);
  const container = `${NAME}-scopemesh`;
  return {
    pid: Number(run('podman', ['inspect', '--format', '{{.State.Pid}}', container])),
    /** The line of the manual's page. */
    exec: (command: string) =>
      runProgram('podman', ['exec', container, 'node', 'dist/workers/main.js', command]),
    remove,
  };
}

it.runIf(isRoot)(
  'the image builds, has no shell, runs as nobody in particular and enforces the scopes of the demo',
  async () => {
    const options = await buildOptions(directory);
    const file = join(directory, 'image.tar');
    const { checks } = await makeImage(ROOT, { version: VERSION, commit: 'abc', file, options });
    expect(checks.map(({ name, ok, detail }) => (ok ? name : `${name}: ${detail}`))).toEqual([
      'builds',
      '--version',
      'no shell, not root',
      'demo',
    ]);
  },
);

it.runIf(isRoot)(
  'the pod of the chart opens and closes a call at a real Envoy, as Keycloak says',
  async () => {
    const { admin } = keycloak;
    await admin.createRealm(REALM);
    const { clientId, clientSecret } = await admin.createReader(REALM);
    await admin.createClientScope(REALM, 'orders:read');
    await admin.createClient(REALM, 'web-app', { attributes: { 'consul-services': 'web' } });
    await admin.addScope(REALM, 'web-app', 'orders:read');
    const [provider] = ONE.config.providers;
    const config = {
      ...ONE.config,
      mode: 'enforce',
      consul: { ...ONE.config.consul, address: consul.httpAddress },
      providers: [{ ...provider, issuer: `${keycloak.address}/realms/${REALM}`, clientId, poll: '5s' }],
    };
    const image = { repository: 'localhost/scopemesh', tag: VERSION, pullPolicy: 'Never' };
    const manifests = await rendered({ ...ONE, image, config });
    const Rules = readFileSync(join(ROOT, 'deploy/consul-policy.hcl'), 'utf8');
    await consul.request('PUT', '/v1/acl/policy', { Name: 'scopemesh', Rules });
    const made = await consul.request('PUT', '/v1/acl/token', { Policies: [{ Name: 'scopemesh' }] });
    const pod = await startPod(manifests, {
      'consul-token': Object(made).SecretID,
      'client-secret': clientSecret,
    });
    try {
      const ports = [consul.httpAddress, keycloak.address].map((address) => Number(new URL(address).port));
      const forwarded = await forwardInto(pod.pid, ports, directory);
      try {
        await mesh.waitForStatus(200, CALL);
        expect(await mesh.call('web', 'orders', 'POST', CALL.path)).toBe(403);
        expect(await pod.exec('doctor')).toMatchObject({
          status: 0,
          out: expect.stringContaining('0 errors'),
        });
        await admin.removeScope(REALM, 'web-app', 'orders:read');
        await mesh.waitForStatus(403, CALL);
      } finally {
        await forwarded.stop();
      }
    } finally {
      pod.remove();
    }
  },
);
