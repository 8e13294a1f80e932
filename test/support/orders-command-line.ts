import type { CommandLine } from './command-line.js';
import type { Mesh } from './mesh.js';
import { openCommandLine } from './open-command-line.js';

export const web = {
  clientId: 'web-app',
  scopes: ['orders:read'],
  attributes: { 'consul-services': 'web' },
};
export const bot = {
  clientId: 'bot',
  scopes: ['billing:connect'],
  attributes: { 'consul-services': 'bot' },
};

/** By the identity provider `web` may read orders and `bot` may call billing; nothing is applied yet. */
export async function startOrdersCommandLine(): Promise<{ readonly mesh: Mesh; readonly cli: CommandLine }> {
  const opened = await openCommandLine();
  await makeOrders(opened.mesh, opened.cli);
  return opened;
}

export async function makeOrders(mesh: Mesh, cli: CommandLine): Promise<void> {
  await mesh.speaks('orders', 'http');
  await mesh.register('orders');
  await mesh.register('billing');
  await mesh.register('web', { client: 'web-app' });
  await mesh.register('bot', { client: 'bot' });
  cli.idp(web, bot);
}
