import type { Config } from '../../config/config.js';
import type { LogNote } from '../consul/consul.js';
import { openKept } from '../decisions/checkpoint.js';
import type { KeptNote } from '../decisions/publication.js';
import { trustedKeys } from '../decisions/signing-key.js';

const TIMEOUT_MS = 10_000;

/** The newest note of the log in Consul; undefined in `observe`, whose token need not write there. */
export function keptNote(
  { mode, state, decisions }: Pick<Config, 'mode' | 'state' | 'decisions'>,
  note: LogNote,
): KeptNote | undefined {
  if (mode === 'observe') return undefined;
  return {
    async read() {
      const text = await note.read(AbortSignal.timeout(TIMEOUT_MS));
      return text === undefined
        ? undefined
        : openKept(trustedKeys(state.directory, decisions.trustedKeys), text);
    },
    write: (text) => note.write(text, AbortSignal.timeout(TIMEOUT_MS)),
  };
}
