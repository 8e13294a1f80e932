import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installed } from './installed.js';
import { freePorts } from './ports.js';
import {
  createRunDirectory,
  removeRunDirectory,
  type ServerProcess,
  startProcess,
  until,
} from './process.js';

export interface KubernetesHandle {
  /** With the rights of an administrator. */
  readonly kubeconfig: string;
  /** The resource definitions of the Prometheus Operator. */
  readonly monitoringCrds: readonly string[];
  /** Runs kubectl; throws what it says if it fails. `input` is its standard input. */
  kubectl(args: readonly string[], input?: string): Promise<{ readonly out: string; readonly err: string }>;
  stop(): Promise<void>;
}

const TOKEN = 'administrator';

/**
 * An API server of Kubernetes with its store and its controllers, and no nodes: objects are admitted, stored and followed by
 * others, as pods follow a StatefulSet, and no container runs.
 */
export async function startKubernetes(): Promise<KubernetesHandle> {
  const home = await installed('kubernetes');
  const kubectl = await installed('kubectl');
  const directory = await createRunDirectory('kubernetes');
  const [clients, peers, secure] = await freePorts(3);
  const store = `http://127.0.0.1:${clients}`;
  const peer = `http://127.0.0.1:${peers}`;
  const server = `https://127.0.0.1:${secure}`;
  const file = (name: string) => join(directory, name);
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kubeconfig = file('kubeconfig');
  await writeFile(file('sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(file('sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(file('tokens.csv'), `${TOKEN},admin,admin,system:masters\n`);
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'admin', user: { token: TOKEN } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
      'current-context': 'test',
    }),
  );

  const processes: ServerProcess[] = [];
  const start = async (name: string, options: Readonly<Record<string, string>>) => {
    const args = Object.entries(options).map(([option, value]) => `--${option}=${value}`);
    const started = await startProcess({
      name,
      command: join(home, name),
      args,
      logFile: file(`${name}.log`),
    });
    processes.unshift(started);
    return started;
  };
  const stop = async () => {
    for (const each of processes) await each.kill();
    await removeRunDirectory(directory);
  };
  const run = async (args: readonly string[], input = '') => {
    const running = promisify(execFile)(kubectl, [`--kubeconfig=${kubeconfig}`, ...args], {
      maxBuffer: 64 * 1024 * 1024,
    });
    running.child.stdin?.end(input);
    const { stdout, stderr } = await running;
    return { out: stdout, err: stderr };
  };
  try {
    await start('etcd', {
      'data-dir': file('etcd'),
      'listen-client-urls': store,
      'advertise-client-urls': store,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `default=${peer}`,
      'unsafe-no-fsync': 'true',
    });
    const api = await start('kube-apiserver', {
      'etcd-servers': store,
      'bind-address': '127.0.0.1',
      'advertise-address': '127.0.0.1',
      'secure-port': String(secure),
      'cert-dir': file('certs'),
      'service-cluster-ip-range': '10.0.0.0/24',
      'authorization-mode': 'RBAC',
      'token-auth-file': file('tokens.csv'),
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': file('sa.pub'),
      'service-account-signing-key-file': file('sa.key'),
      'endpoint-reconciler-type': 'none',
    });
    const isReady = async () => (await run(['get', '--raw', '/readyz'])).out === 'ok';
    await until('the API server is ready', isReady, { process: api, timeoutMs: 120_000, intervalMs: 300 });
    await start('kube-controller-manager', {
      kubeconfig,
      'service-account-private-key-file': file('sa.key'),
      'leader-elect': 'false',
      'bind-address': '127.0.0.1',
      'secure-port': '0',
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const monitoringCrds = ['servicemonitors', 'prometheusrules'].map((kind) =>
    join(home, `monitoring.coreos.com_${kind}.yaml`),
  );
  return { kubeconfig, monitoringCrds, kubectl: run, stop };
}
