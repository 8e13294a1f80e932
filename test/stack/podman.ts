import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, connect as dial } from 'node:net';
import { join } from 'node:path';
import { run } from '../../deploy/release/run.js';
import { installed } from './installed.js';
import { type ServerProcess, startProcess } from './process.js';

/** What the environment of podman and buildah needs, so that they use what install.sh installed. */
export async function podmanEnvironment(): Promise<Readonly<Record<string, string>>> {
  const lines = (await readFile(join(await installed('podman'), 'env'), 'utf8')).trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split('=', 2)));
}

const CERTIFICATES = '/etc/ssl/certs';

/** Builds start from the image that is there, and fetch packages as npm does on this machine. */
export async function buildOptions(directory: string): Promise<readonly string[]> {
  const npmrc = join(directory, 'npmrc');
  const settings = ['registry', 'cafile'].map((name) => [name, run('npm', ['config', 'get', name]).trim()]);
  const known = Object.fromEntries(settings.filter(([, value]) => value !== 'null' && value !== 'undefined'));
  const bundle = join(CERTIFICATES, 'ca-certificates.crt');
  const lines = Object.entries({ ...(existsSync(bundle) ? { cafile: bundle } : {}), ...known });
  await writeFile(npmrc, lines.map(([name, value]) => `${name}=${value}\n`).join(''));
  return [
    '--pull=never',
    '--build-arg=NODE_IMAGE=localhost/debian-node',
    `--volume=${CERTIFICATES}:${CERTIFICATES}:ro`,
    `--volume=${npmrc}:/root/.npmrc:ro`,
  ];
}

/**
 * Forwards these ports of 127.0.0.1 in the network of a process, such as a pod without a network, to the same ports of this
 * machine. The connections cross by Unix sockets in the folder.
 */
export async function forwardInto(
  pid: number,
  ports: readonly number[],
  directory: string,
): Promise<{ stop(): Promise<void> }> {
  const socketOf = (port: number) => join(directory, `${port}.sock`);
  const servers = ports.map((port) => {
    const server = createServer((inside) => {
      const outside = dial(port, '127.0.0.1');
      inside.pipe(outside).pipe(inside);
      inside.on('error', () => outside.destroy());
      outside.on('error', () => inside.destroy());
    });
    return server.listen(socketOf(port));
  });
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const inside: ServerProcess = await startProcess({
    name: 'forwarder',
    command: 'nsenter',
    args: ['--target', String(pid), '--net', process.execPath, '-e', FORWARD, ...ports.map(socketOf)],
    logFile: join(directory, 'forwarder.log'),
  });
  return {
    async stop() {
      await inside.stop();
      for (const server of servers) server.close();
    },
  };
}

const FORWARD = `
const { connect, createServer } = require('node:net');
for (const socket of process.argv.slice(1))
  createServer((from) => {
    const to = connect(socket);
    from.pipe(to).pipe(from);
    from.on('error', () => to.destroy());
    to.on('error', () => from.destroy());
  }).listen(Number(/(\\d+)\\.sock$/.exec(socket)[1]), '127.0.0.1');
`;
