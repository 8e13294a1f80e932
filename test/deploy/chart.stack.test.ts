import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { blocks } from '../docs/manual.js';
import { installed } from '../stack/installed.js';
import { createCommandLine } from '../support/command-line.js';
import { selfSigned } from '../support/entra/certificate.js';
import {
  CHART,
  find,
  helm,
  kustomizeFiles,
  type Manifest,
  manifestsIn,
  ONE,
  rendered,
  SEVERAL,
  secretFile,
  type Values,
} from './helm.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const configIn = (manifests: readonly Manifest[]) =>
  String(Object(find(manifests, 'ConfigMap').data)['scopemesh.yaml']);
const PAGE = read('docs/how-to/run-in-kubernetes.md');
/** The values of the manual's page: of one replica, what several need beside them, and what Prometheus needs. */
const [SIMPLE, MORE, MONITORED] = blocks(PAGE, 'yaml').map((block): Values => parse(block));
const OF_PAGE = {
  ...SIMPLE,
  ...MORE,
  ...MONITORED,
  config: { ...Object(SIMPLE?.config), ...Object(MORE?.config) },
};
const kinds = (manifests: readonly Manifest[]) => manifests.map(({ kind }) => kind).toSorted();
const container = (manifests: readonly Manifest[]) =>
  Object(find(manifests, 'StatefulSet').spec).template.spec.containers[0];

/** What `scopemesh validate` says about the file of a pod, with a folder in the place of its root. */
async function validated(manifests: readonly Manifest[]) {
  const root = mkdtempSync(join(tmpdir(), 'scopemesh-pod-'));
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text, { mode: 0o600 });
  };
  for (const name of ['scopemesh/consul-token', 'scopemesh/client-secret', 'people/alice', 'metrics/token'])
    put(`secrets/${name}`, name.replaceAll('/', '-').padEnd(40, '0'));
  put('secrets/scopemesh/redis-url', 'redis://redis:6379');
  const openssl = ['genpkey', '-algorithm', 'ed25519'];
  put('secrets/trail/trail-key.pem', execFileSync('openssl', openssl, { encoding: 'utf8' }));
  put('files/consul-ca/tls.crt', selfSigned().certificate);
  put('etc/scopemesh.yaml', configIn(manifests).replaceAll(/\/(secrets|files|var)\//g, `${root}/$1/`));
  const cli = createCommandLine();
  onTestFinished(() => cli.close());
  return cli.run(['validate', '-c', join(root, 'etc/scopemesh.yaml')]);
}

describe('the chart', () => {
  it('has the version of the package', () => {
    const { version } = JSON.parse(read('package.json'));
    expect(parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'))).toMatchObject({
      version,
      appVersion: version,
    });
  });

  it.each<[string, Values]>([
    ['one replica', ONE],
    ['several replicas', SEVERAL],
    ['the one replica of the manual', { ...SIMPLE }],
    ['the several replicas of the manual, with Prometheus', OF_PAGE],
  ])('passes the linter and writes a valid configuration: %s', async (_, values) => {
    const lint = await helm(['lint', '--strict'], values);
    expect(lint, lint.out).toMatchObject({ status: 0 });
    const manifests = await rendered(values);
    expect(await validated(manifests)).toMatchObject({ status: 0, err: '' });
  });

  it('runs one replica with a volume, and no pod needs root or a token of the API server', async () => {
    const manifests = await rendered(ONE);
    expect(kinds(manifests)).toEqual([
      'ConfigMap',
      'NetworkPolicy',
      'Service',
      'Service',
      'ServiceAccount',
      'StatefulSet',
    ]);
    expect(find(manifests, 'StatefulSet').spec).toMatchObject({
      replicas: 1,
      volumeClaimTemplates: [{ metadata: { name: 'state' } }],
      template: {
        spec: {
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 },
        },
      },
    });
    expect(container(manifests)).toMatchObject({
      image: expect.stringMatching(/^scopemesh:\d/),
      securityContext: {
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      },
      livenessProbe: { httpGet: { path: '/healthz', port: 'admin' } },
      readinessProbe: { httpGet: { path: '/readyz', port: 'admin' } },
    });
    expect(find(manifests, 'ServiceAccount').automountServiceAccountToken).toBe(false);
  });

  it('mounts what the image reads and the lines of the manual create', async () => {
    const paths = container(await rendered(OF_PAGE)).volumeMounts.map(
      (each: { mountPath: string }) => each.mountPath,
    );
    for (const path of ['/etc/scopemesh', '/var/lib/scopemesh']) {
      expect(paths).toContain(path);
      expect(read('Dockerfile')).toContain(path);
    }
    expect(paths).toEqual(expect.arrayContaining(['/secrets/scopemesh', '/secrets/metrics']));
    const lines = blocks(PAGE, 'sh').join('');
    expect(lines).toContain(
      'secret generic scopemesh \\\n  --from-file=consul-token --from-file=client-secret',
    );
    expect(lines).toContain('secret generic metrics --from-literal=token=');
  });

  it('runs several replicas with what they share, and a drain takes one at a time', async () => {
    const manifests = await rendered(SEVERAL);
    expect(kinds(manifests)).toEqual([
      'ConfigMap',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'PrometheusRule',
      'Service',
      'Service',
      'ServiceAccount',
      'ServiceMonitor',
      'StatefulSet',
    ]);
    expect(find(manifests, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
    expect(container(manifests).image).toBe(`registry.example.com/scopemesh@sha256:${'a'.repeat(64)}`);
    expect(parse(configIn(manifests)).http.tokens).toEqual([
      ...SEVERAL.config.http.tokens,
      { name: 'prometheus', token: secretFile('metrics/token') },
    ]);
    expect(container(manifests).volumeMounts).toContainEqual(
      expect.objectContaining({ mountPath: '/secrets/metrics', readOnly: true }),
    );
    expect(find(manifests, 'NetworkPolicy').spec).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
  });

  it('gives the Prometheus Operator the rules of the one file', async () => {
    expect(find(await rendered(SEVERAL), 'PrometheusRule').spec).toEqual(
      parse(read('deploy/chart/alerts.yaml')),
    );
  });

  it('links each alert to the manual that you serve', async () => {
    const prometheusRule = { enabled: true, manual: 'https://manual.example.com/scopemesh/' };
    const { spec } = find(await rendered({ ...SEVERAL, prometheusRule }), 'PrometheusRule');
    for (const { alert, annotations } of Object(spec).groups[0].rules)
      expect(annotations.runbook_url).toBe(
        `https://manual.example.com/scopemesh/reference/alerts.html#${alert.toLowerCase()}`,
      );
  });

  it('starts new pods for a new configuration', async () => {
    const annotations = async (values: Values) =>
      Object(find(await rendered(values), 'StatefulSet').spec).template.metadata.annotations;
    const changed = { ...ONE, config: { ...ONE.config, mode: 'enforce' } };
    expect(await annotations(changed)).not.toEqual(await annotations(ONE));
    expect(await annotations({ ...ONE, service: { port: 81 } })).toEqual(await annotations(ONE));
  });

  it.each<[string, object, string]>([
    ['a value that it does not know', { replicaz: 2 }, 'replicaz'],
    ['several replicas with stores of their own', { replicas: 2 }, 'several replicas share Redis and Kafka'],
    ['a state that goes with the pod', { persistence: { enabled: false } }, 'would be lost with the pod'],
    ['a state directory beside the volume', { config: { ...ONE.config, state: {} } }, 'state'],
    ['no owner', { config: { ...ONE.config, owner: '' } }, 'owner'],
    [
      'a monitor without a token',
      { serviceMonitor: { enabled: true }, networkPolicy: { enabled: false } },
      'needs a token',
    ],
    [
      'a monitor that the network policy keeps out',
      { serviceMonitor: { enabled: true, token: { secret: 'metrics' } } },
      'keeps Prometheus out',
    ],
  ])('refuses %s', async (_, values, why) => {
    const { status, err } = await helm(['template', 'scopemesh'], { ...ONE, ...values });
    expect(status).toBe(1);
    expect(err).toContain(why);
  });
});

describe('the base for kustomize', () => {
  it('is what the chart makes of one replica', async () => {
    for (const [name, text] of Object.entries(await kustomizeFiles()))
      expect(read(`deploy/kustomize/${name}`), 'run npx tsx test/deploy/write-kustomize.ts').toBe(text);
  });

  it('takes the configuration of an overlay, and a change of it starts new pods', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'scopemesh-overlay-'));
    const base = join(folder, 'base');
    mkdirSync(base);
    for (const name of ['kustomization.yaml', 'objects.yaml', 'scopemesh.yaml'])
      writeFileSync(join(base, name), read(`deploy/kustomize/${name}`));
    const [, overlay = ''] = /```yaml\n(# kustomization\.yaml[\s\S]*?)```/.exec(PAGE) ?? [];
    writeFileSync(join(folder, 'kustomization.yaml'), overlay);
    writeFileSync(join(folder, 'scopemesh.yaml'), 'owner: mine\n');
    const out = execFileSync(await installed('kubectl'), ['kustomize', folder], { encoding: 'utf8' });
    const manifests = manifestsIn(out);
    const config = manifests.find(({ kind }) => kind === 'ConfigMap');
    expect(config?.metadata.name).toMatch(/^scopemesh-\w+$/);
    expect(config?.data).toEqual({ 'scopemesh.yaml': 'owner: mine\n' });
    expect(find(manifests, 'StatefulSet').spec).toMatchObject({
      template: {
        spec: {
          containers: [{ image: 'registry.example.com/scopemesh:1.0.0' }],
          volumes: expect.arrayContaining([
            { name: 'configuration', configMap: { name: config?.metadata.name } },
          ]),
        },
      },
    });
  });
});
