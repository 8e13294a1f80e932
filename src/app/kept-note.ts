import type { Config } from '../../config/config.js';
import type { LogNote } from '../consul/consul.js';
import { openKept } from '../decisions/checkpoint.js';
import type { KeptNote } from '../decisions/publication.js';
import { trustedKeys } from '../decisions/signing-key.js';
import { messageOf, SyncError } from '../errors.js';
import { policyOf } from '../plan/mode.js';
import type { Runtime } from '../runtime.js';

const TIMEOUT_MS = 10_000;

/**
 * The newest note of the log in Consul; undefined in `observe`, whose token need not write there. A token that may not use the
 * key holds up no decision: that is logged once, and counted.
 */
export function keptNote(
  { mode, owner, state, decisions }: Pick<Config, 'mode' | 'owner' | 'state' | 'decisions'>,
  note: LogNote,
  { logger, metrics }: Pick<Runtime, 'logger' | 'metrics'>,
): KeptNote | undefined {
  if (!policyOf({ mode }).writes) return undefined;
  let isKnown = false;
  const unlessDenied = async <T>(access: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> => {
    try {
      return await access(AbortSignal.timeout(TIMEOUT_MS));
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'ERR_CONSUL_DENIED') throw error;
      metrics.count('scopemesh_checkpoint_failures_total');
      if (!isKnown)
        logger.warn(
          { error: messageOf(error) },
          `the newest note of the decision log is not kept in Consul: the ACL token lacks key_prefix "scopemesh/${owner}/" with policy write`,
        );
      isKnown = true;
      return undefined;
    }
  };
  return {
    async read() {
      const text = await unlessDenied((signal) => note.read(signal));
      return text === undefined
        ? undefined
        : openKept(trustedKeys(state.directory, decisions.trustedKeys), text);
    },
    write: (text) => unlessDenied((signal) => note.write(text, signal)),
  };
}
