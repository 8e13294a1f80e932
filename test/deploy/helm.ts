import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { installed } from '../stack/installed.js';

export const CHART = fileURLToPath(new URL('../../deploy/chart', import.meta.url));

export type Values = Readonly<Record<string, unknown>>;

const MANIFEST = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) });
/** A Kubernetes object. */
export type Manifest = Readonly<z.output<typeof MANIFEST>>;

export interface Said {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program; a failure is an answer. */
export async function runProgram(command: string, args: readonly string[], env = {}): Promise<Said> {
  try {
    const options = { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
    const { stdout, stderr } = await promisify(execFile)(command, [...args], options);
    return { status: 0, out: stdout, err: stderr };
  } catch (error) {
    if (!(error instanceof Error && 'stdout' in error && 'stderr' in error)) throw error;
    return { status: 1, out: String(error.stdout), err: String(error.stderr) };
  }
}

/** A file of values for `--values`. */
export async function valuesFile(values: Values): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'scopemesh-values-')), 'values.json');
  await writeFile(file, JSON.stringify(values));
  return file;
}

/** Runs Helm on the chart with these values. */
export async function helm(args: readonly string[], values: Values, env = {}): Promise<Said> {
  return runProgram(await installed('helm'), [...args, CHART, '--values', await valuesFile(values)], env);
}

export function manifestsIn(text: string): readonly Manifest[] {
  return parseAllDocuments(text)
    .map((document): unknown => document.toJS())
    .filter((each) => each !== null)
    .map((each) => MANIFEST.parse(each));
}

/** What `helm template` makes of these values; throws what Helm says otherwise. */
export async function rendered(values: Values): Promise<readonly Manifest[]> {
  const { status, out, err } = await helm(['template', 'scopemesh'], values);
  if (status !== 0) throw new Error(err);
  return manifestsIn(out);
}

export function find(manifests: readonly Manifest[], kind: string, name = 'scopemesh'): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** A reference of the configuration file. */
export const secretFile = (path: string) => `\${file:/secrets/${path}}`;

const CONFIG = {
  owner: 'payments',
  mode: 'observe',
  consul: {
    address: 'https://consul-server.consul:8501',
    token: secretFile('scopemesh/consul-token'),
  },
  providers: [
    {
      name: 'main',
      kind: 'keycloak',
      issuer: 'https://sso.example.com/realms/main',
      clientId: 'scopemesh',
      clientSecret: secretFile('scopemesh/client-secret'),
    },
  ],
  scopes: { 'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' } },
};

/** One replica with a volume: the least that somebody writes. */
export const ONE = { config: CONFIG, secrets: ['scopemesh'] };

const monitoring = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } };

/** Replicas with Redis and Kafka, and everything that is off by default. */
export const SEVERAL = {
  image: {
    repository: 'registry.example.com/scopemesh',
    digest: `sha256:${'a'.repeat(64)}`,
    pullSecrets: ['registry'],
  },
  replicas: 3,
  config: {
    ...CONFIG,
    mode: 'enforce',
    consul: { ...CONFIG.consul, tls: { caFile: '/files/consul-ca/tls.crt' } },
    guards: { maxRevocations: { atLeast: 1_000_000 } },
    queue: { kind: 'bullmq', url: 'rediss://redis.example.com:6379' },
    decisions: {
      kind: 'kafka',
      brokers: ['kafka.example.com:9093'],
      tls: true,
      signingKeyFile: '/secrets/trail/trail-key.pem',
    },
    http: {
      tokens: [{ name: 'alice', token: secretFile('people/alice'), approve: true }],
    },
  },
  secrets: ['scopemesh', 'trail', 'people'],
  files: ['consul-ca'],
  env: { HTTPS_PROXY: 'http://proxy.example.com:3128' },
  persistence: { storageClass: 'fast' },
  service: { type: 'LoadBalancer', annotations: { team: 'identity' } },
  networkPolicy: {
    eventsFrom: [{ ipBlock: { cidr: '192.0.2.0/24' } }],
    adminFrom: [monitoring],
    egress: [{ ports: [{ port: 443, protocol: 'TCP' }] }],
  },
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, token: { secret: 'metrics' } },
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
  podAnnotations: { 'example.com/note': 'yes' },
  podLabels: { team: 'identity' },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'mesh', operator: 'Exists' }],
  affinity: { nodeAffinity: {} },
  priorityClassName: 'system-cluster-critical',
};

/** The files of `deploy/kustomize` that the chart makes; what belongs to a release of Helm is left out. */
export async function kustomizeFiles(): Promise<Readonly<Record<string, string>>> {
  const { status, out, err } = await helm(['template', 'scopemesh'], ONE);
  if (status !== 0) throw new Error(err);
  const head = '# Made from deploy/chart by: npx tsx test/deploy/write-kustomize.ts\n';
  const config = Object(find(manifestsIn(out), 'ConfigMap').data)['scopemesh.yaml'];
  const objects = out.split(/^---$/m).filter((each) => !each.includes('\nkind: ConfigMap\n'));
  const lines = objects
    .join('---')
    .split('\n')
    .filter((line) => !/helm\.sh\/|managed-by|checksum\/conf|^ *#|^\s*$/.test(line));
  // Kustomize names the ConfigMap after its content, so the checksum, the only annotation, is not needed.
  const text = lines.join('\n').replace(/\n +annotations:(?=\n +spec:)/, '');
  return { 'objects.yaml': `${head}${text}\n`, 'scopemesh.yaml': `${head}${config}` };
}
