import { spawnSync } from 'node:child_process';
import type { Artefact } from './artefact.js';
import { check, expectThat, programOnPath, run } from './run.js';

/** Builds the image with what is there, saves it as an OCI archive, and runs it as a cluster would. */
export async function makeImage(
  root: string,
  {
    version,
    commit,
    file,
    options,
  }: { version: string; commit: string; file: string; options: readonly string[] },
): Promise<Artefact> {
  const what = 'image';
  const builder = programOnPath('buildah', 'podman', 'docker');
  const runner = programOnPath('podman', 'docker');
  if (builder === undefined || runner === undefined)
    return { what, checks: [], left: 'there is no podman, buildah or docker' };
  const name = `localhost/scopemesh:${version}`;
  const built = [`SCOPEMESH_COMMIT=${commit}`, `SCOPEMESH_VERSION=${version}`].flatMap((value) => [
    '--build-arg',
    value,
  ]);
  // Docker's own format: an OCI image has no health check.
  const format = builder === 'docker' ? [] : ['--format', 'docker'];
  const made = await check('builds', () => {
    run(builder, ['build', ...format, ...options, ...built, '--tag', name, '.'], { cwd: root });
    run(runner, [
      'save',
      ...(runner === 'podman' ? ['--format', 'docker-archive'] : []),
      '--output',
      file,
      name,
    ]);
  });
  if (!made.ok) return { what, checks: [made], left: 'its build failed' };
  const locked = ['--network', 'none', '--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL'];
  const start = (args: readonly string[]) =>
    run(runner, ['run', ...locked, '--security-opt', 'no-new-privileges', ...args]);
  return {
    what,
    file,
    checks: [
      made,
      await check('--version', () => {
        const said = start(['--rm', name, '--version']).trim();
        expectThat(said === `${version}+${commit}`, `says ${said}`);
        return said;
      }),
      await check('no shell, not root', () => {
        const { status } = spawnSync(runner, [
          'run',
          '--rm',
          ...locked,
          '--entrypoint',
          'sh',
          name,
          '-c',
          'true',
        ]);
        expectThat(status === 127, `sh ended with ${status}`);
        const user = run(runner, ['inspect', '--format', '{{.Config.User}}', name]).trim();
        expectThat(/^[1-9]\d*:[1-9]\d*$/.test(user), `runs as ${user}`);
        return `runs as ${user}`;
      }),
      await check('demo', () => {
        const id = start(['--detach', name, 'demo', '--embedded']).trim();
        try {
          run(runner, ['exec', id, 'node', '-e', AWAIT_DEMO]);
          run(runner, ['stop', '--time', '15', id]);
          const status = run(runner, ['inspect', '--format', '{{.State.ExitCode}}', id]).trim();
          expectThat(status === '0', `ended with ${status}`);
        } finally {
          run(runner, ['rm', '--force', id]);
        }
        return 'healthy, lets the scope through and nothing else, and ended with 0';
      }),
    ],
    publish: `${runner} push ${name} REGISTRY/scopemesh:${version}   # then name its digest to those who run it`,
  };
}

// The caller `web` holds the scope that reads orders, and not the one that writes them.
const AWAIT_DEMO = `
const until = Date.now() + 60000;
const ask = (url, method) => fetch(url, { method }).then(({ status }) => status, () => 0);
const orders = 'http://127.0.0.1:9101/orders/v1/orders';
const isReady = async () =>
  (await ask('http://127.0.0.1:8080/healthz')) === 200 && (await ask(orders, 'GET')) === 200 && (await ask(orders, 'POST')) === 403;
(async () => { while (!(await isReady())) { if (Date.now() > until) process.exit(1); await new Promise((next) => setTimeout(next, 200)); } })();
`;
