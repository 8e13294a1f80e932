import { type CommandLine, createCommandLine } from './command-line.js';
import { type Mesh, startMesh } from './mesh.js';

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
  const mesh = await startMesh();
  const cli = createCommandLine(mesh);
  await mesh.speaks('orders', 'http');
  await mesh.register('orders');
  await mesh.register('billing');
  await mesh.register('web', { client: 'web-app' });
  await mesh.register('bot', { client: 'bot' });
  cli.idp(web, bot);
  return { mesh, cli };
}
