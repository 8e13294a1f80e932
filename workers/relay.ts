import { setMaxListeners } from 'node:events';
import type { Config } from '../config/config.js';
import { keptNote } from '../src/app/kept-note.js';
import type { Consul } from '../src/consul/consul.js';
import { type RelayDeps, relay } from '../src/decisions/relay.js';
import { messageOf } from '../src/errors.js';
import { definedFields } from '../src/model/defined-fields.js';
import type { StoreParts } from '../src/queue/store-parts.js';
import type { Runtime } from '../src/runtime.js';
import { runWebhooks } from './webhooks.js';
import { openDecisionLog, openSigner } from './wire.js';

/**
 * Opens the decision log, moves settled decisions to it and sends them to the webhooks, until the signal aborts, or until
 * `lost` does, at once.
 */
export async function runRelay(
  config: Config,
  consul: Pick<Consul, 'logNote'>,
  store: Pick<StoreParts, 'journal' | 'keyValues' | 'space'> & Pick<RelayDeps, 'settled'>,
  runtime: Runtime,
  signal: AbortSignal,
  lost?: AbortSignal,
): Promise<void> {
  const { journal, keyValues, settled, space } = store;
  const stop = lost === undefined ? signal : AbortSignal.any([signal, lost]);
  // Each webhook listens to it several times.
  setMaxListeners(0, stop);
  const log = await openDecisionLog(config, runtime, { mayCreateTopic: true });
  try {
    const signer = openSigner(config, runtime);
    const kept = keptNote(config, consul.logNote, runtime);
    // The embedded log is on the disk of the embedded store: it must not use up what is kept back for revocations.
    const isPaused = () => sharesDisk(config) && space.isLow();
    const { owner } = config;
    const parts = { owner, journal, keyValues, log, signer, settled, isPaused, ...runtime };
    // What fails there must not end the relay.
    const webhooks = runWebhooks(config, log, { keyValues, space }, runtime, stop).catch((error: unknown) =>
      runtime.logger.error({ error: messageOf(error) }, 'the webhooks ended with an error'),
    );
    await relay({ ...parts, ...definedFields({ kept, lost }) }, signal);
    await webhooks;
  } finally {
    await log
      .close()
      .catch((error: unknown) =>
        runtime.logger.warn({ error: messageOf(error) }, 'a connection did not close cleanly'),
      );
  }
}

function sharesDisk({ queue, decisions }: Config): boolean {
  return queue.kind === 'embedded' && decisions.kind === 'embedded';
}
