import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandLine } from './command-line.js';
import type { Mesh } from './mesh.js';
import { openCommandLine } from './open-command-line.js';
import { bot, web } from './orders-command-line.js';

export interface CrdCommandLine {
  readonly mesh: Mesh;
  readonly cli: CommandLine;
  /** Of the manifests; it is empty. */
  readonly directory: string;
  /** `consul.target` without options. */
  readonly target: Readonly<Record<string, unknown>>;
}

/** `web` may read orders, which speaks tcp, and `bot` may call billing; manifests of both kinds are still to write. */
export async function startCrdCommandLine(): Promise<CrdCommandLine> {
  const { mesh, cli } = await openCommandLine();
  const directory = join(cli.directory, 'manifests');
  mkdirSync(directory);
  const target = { kind: 'crd', directory };
  const { address, managementToken: token } = mesh.consul;
  cli.configure({
    consul: { address, token, target: { ...target, namespace: 'shop', serviceDefaults: true } },
  });
  await mesh.register('orders');
  await mesh.register('billing');
  await mesh.register('web', { client: 'web-app' });
  await mesh.register('bot', { client: 'bot' });
  cli.idp(web, bot);
  return { mesh, cli, directory, target };
}
