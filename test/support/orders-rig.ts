import { clientOf, createRig, type DaemonOptions, type Rig } from './daemon.js';
import { until } from './until.js';

export const READ = 'GET+HEAD /v1/orders and below';
export const WRITE = 'POST /v1/orders and below';
export const BOTH = 'GET+HEAD+POST /v1/orders and below';
/** Who may decide with a token of `http.tokens`. */
export const BOB = 'bobs-token-of-thirty-two-characters';
export const HTTP = {
  listen: '127.0.0.1:0',
  tokens: [{ name: 'bob', token: BOB, approve: 'on' }],
};
export const EDGE = 'intention/default/default/orders/web';

/** `web` claims `web-app`, which may read orders; another client keeps the directory from ever being empty. */
export function ordersRig(options: DaemonOptions = {}): Promise<Rig> {
  return createRig({
    clients: [clientOf('web', 'orders:read'), clientOf('other')],
    ...options,
    prepare: async (rig) => {
      await rig.mesh.speaks('orders', 'http');
      await rig.mesh.register('orders');
      await rig.mesh.register('web', { client: 'web-app' });
      await rig.mesh.register('other', { client: 'other-app' });
      await options.prepare?.(rig);
    },
  });
}

export function isOpen(rig: Rig, access: string, source = 'web', withinMs?: number): Promise<true> {
  return until(
    `${source} -> orders: ${access}`,
    async () => ((await rig.mesh.access('orders'))?.[source] === access ? true : undefined),
    withinMs,
  );
}

export function isClosed(rig: Rig, source = 'web', withinMs?: number): Promise<true> {
  return until(
    `${source} -> orders closed`,
    async () => ((await rig.mesh.access('orders'))?.[source] === undefined ? true : undefined),
    withinMs,
  );
}
