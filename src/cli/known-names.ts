import { noSuchName } from '../app/explain-call.js';
import { messageOf, SyncError } from '../errors.js';
import { clientText } from '../plan/world.js';
import { isKnownService } from '../state/known-services.js';
import type { WorldState } from '../state/world-state.js';
import { readingsOf } from '../trail/what-can.js';
import type { Cli } from './cli.js';
import { withCurrentState } from './load-current-state.js';

/**
 * Throws ERR_CONFIG if neither side knows the name. What could not be read may have it: then there is a warning. Call it
 * if the log has nothing.
 */
export async function refuseUnknown(
  name: string,
  what: 'service' | 'client, service or person',
  cli: Cli,
): Promise<void> {
  const unread: SyncError[] = [];
  const looking = withCurrentState(
    cli,
    async ({ world }) =>
      isKnownService(world, name) ||
      (what !== 'service' && (unread.length > 0 || isKnownClient(world, name))),
    { onUnread: (_, error) => unread.push(error) },
  );
  const isKnown = await looking.catch((error: unknown) => {
    cli.signal.throwIfAborted();
    if (!(error instanceof SyncError) || error.code === 'ERR_CONFIG') throw error;
    cli.screen.warn(
      `scopemesh: the decision log does not know ${name}, and the other sides could not be asked: ${messageOf(error)}`,
    );
    return true;
  });
  if (!isKnown) throw noSuchName(name, what);
}

function isKnownClient(world: WorldState, name: string): boolean {
  return readingsOf(name).some(({ provider, id }) =>
    world.mapping.providers.some(
      (each) =>
        (provider === undefined || provider === each) &&
        (world.client({ provider: each, clientId: id }) !== undefined ||
          world.view(0).clientBlocks.has(clientText({ provider: each, clientId: id }))),
    ),
  );
}
