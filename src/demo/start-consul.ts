import { join } from 'node:path';
import type { Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import { findConsul, type RunningConsul, startConsulChild } from './consul-child.js';
import type { StateDirectory } from './state-directory.js';

export interface DemoConsul extends RunningConsul {
  /** `embedded`, or the path of the binary. */
  readonly kind: string;
}

/** Starts the `consul` on the PATH. Starts the embedded one if that fails, or if the user asked for it. */
export async function startConsul(
  options: {
    readonly isEmbedded: boolean;
    readonly path: string;
    readonly port: number;
    readonly state: StateDirectory;
    readonly clock: Clock;
    readonly onNote: (note: string) => void;
  },
  signal: AbortSignal,
): Promise<DemoConsul> {
  const { port, state, clock } = options;
  const directory = join(state.path, 'consul');
  const binary = options.isEmbedded ? undefined : await findConsul(options.path);
  if (binary !== undefined) {
    try {
      const place = { binary, port, directory, isKept: state.isKept, clock };
      return { ...(await startConsulChild(place, signal)), kind: binary };
    } catch (error) {
      signal.throwIfAborted();
      options.onNote(`${messageOf(error)}; the demo uses the embedded Consul instead`);
    }
  }
  const { createEmbeddedConsul } = await import('../embedded/consul/embedded-consul.js');
  const consul = await createEmbeddedConsul({
    port,
    ...(state.isKept ? { stateDirectory: directory } : {}),
    defaultPolicy: 'deny',
    clock,
  });
  const { address, managementToken } = consul;
  return { address, managementToken, close: () => consul.close(), kind: 'embedded' };
}
