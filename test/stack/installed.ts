import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What install.sh can install; `kcat` is a Kafka client that shares no code with the one in use. */
export type ServerName =
  | 'chromium'
  | 'consul'
  | 'envoy'
  | 'redis'
  | 'kcat'
  | 'kafka'
  | 'keycloak'
  | 'python'
  | 'helm'
  | 'prometheus'
  | SlowName;
/** What takes minutes to build: `npm run faults` installs it, and a test runs without it only where it is there already. */
export type SlowName = 'collector' | 'podman' | 'kubernetes' | NewerConsul;
/** Consul 1.15.4, and 1.16.1 without its optional Envoy extensions. */
export type NewerConsul = 'consul-1.15' | 'consul-1.16';
/** What comes with another one. */
const WITH: Readonly<Record<string, ServerName>> = {
  java: 'keycloak',
  kubectl: 'helm',
  promtool: 'prometheus',
};

const script = fileURLToPath(new URL('./install.sh', import.meta.url));
const found = new Map<string, string>();

/**
 * The path of an installed server, which is installed first where it is missing: the binary of Chromium, Consul, Envoy,
 * Redis and kcat, the folder of Kafka's jars, Keycloak's home, the Python that has the libraries of its example, the folder of
 * the programs of Kubernetes. `java` is a Java home of 21 or newer. Throws with install.sh's own words when something it
 * needs is missing.
 */
export async function installed(name: ServerName | 'java' | 'kubectl' | 'promtool'): Promise<string> {
  if (!found.has(name)) {
    const args = [script, WITH[name] ?? name];
    const { stdout } = await promisify(execFile)('bash', args, { timeout: 1_200_000 }).catch(
      (error: unknown) => {
        const said = error instanceof Error && 'stderr' in error ? String(error.stderr).slice(-2000) : '';
        throw new Error(`install.sh ${name} failed: ${said}`, { cause: error });
      },
    );
    for (const line of stdout.split('\n')) {
      const at = line.indexOf('=');
      if (at > 0) found.set(line.slice(0, at), line.slice(at + 1));
    }
  }
  const path = found.get(name);
  if (path === undefined) throw new Error(`install.sh installed no ${name}`);
  return path;
}

/** Whether one that takes long to build is there already. */
export function isInstalled(name: SlowName): boolean {
  return execFileSync('bash', [script, '--where'], { encoding: 'utf8' }).includes(`${name}=`);
}
