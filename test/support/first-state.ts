import { z } from 'zod';
import type { DaemonOptions, Rig } from './daemon.js';
import { clientOf } from './daemon.js';
import { ordersRig } from './orders-rig.js';

/** What Consul has beside the state directory, as it answers. */
export const CONSUL_STATE = z.object({
  kv: z.array(z.looseObject({ Key: z.string(), Value: z.string() })),
  entries: z.array(z.looseObject({ Name: z.string() })),
});

/** The world of the state of the first release: `web` may read orders; `batch` could write them, and is in quarantine. */
export function firstWorld(options: Pick<DaemonOptions, 'prepare'> = {}): Promise<Rig> {
  return ordersRig({
    clients: [clientOf('web', 'orders:read'), clientOf('batch', 'orders:write'), clientOf('other')],
    prepare: async (rig) => {
      await rig.mesh.register('batch', { client: 'batch-app' });
      await options.prepare?.(rig);
    },
  });
}
