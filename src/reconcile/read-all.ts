import { isAclActive } from './acl/acl-state.js';
import { readAllAcl } from './acl/fleet-acl.js';
import type { ReconcilerDeps } from './deps.js';
import { readConsul } from './sweep.js';

/**
 * Reads both sides completely into the world: every directory and all that Consul has to say. Throws if any part
 * cannot be read completely, for a plan from half the truth would be a wrong one.
 */
export async function readBothSides(
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'consul' | 'directories' | 'clock'>,
  signal: AbortSignal,
): Promise<void> {
  const { world, clock } = deps;
  await Promise.all([
    // What differs from before goes nowhere: whoever reads everything plans everything.
    readConsul({ ...deps, queue: { add: async () => {} } }, signal),
    isAclActive(deps) ? readAllAcl(deps, signal) : undefined,
    ...[...deps.directories].map(async ([provider, directory]) => {
      const read = world.beginRead();
      const { clients } = await directory.readAll(signal);
      world.putDirectory(provider, clients, read, clock.now());
    }),
  ]);
}
