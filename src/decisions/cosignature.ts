import { verify } from 'node:crypto';
import { configError } from '../errors.js';
import { parseVerifierKey, signaturesIn } from './signed-note.js';

/** Somebody who saw a checkpoint and checked that the log only grew until then. */
export interface Witness {
  readonly name: string;
  /** When the witness cosigned this note (ISO 8601); undefined without a valid cosignature. The latest of several. */
  cosignedAt(note: string): string | undefined;
}

/** The algorithm byte of a cosignature with Ed25519 (https://c2sp.org/tlog-cosignature). */
const COSIGNATURE_V1 = Buffer.of(4);
const TIME_BYTES = 8;
/** The last instant that a date can have, in seconds. */
const LAST_SECOND = 8_640_000_000_000n;

/** Throws SyncError ERR_CONFIG for a text that is not the key of a witness. */
export function createWitness(verifierKey: string): Witness {
  const parsed = parseVerifierKey(verifierKey, COSIGNATURE_V1);
  if (parsed === undefined)
    throw configError(
      'this is not the Ed25519 key of a witness in the form NAME+HASH+KEY, whose key begins with the byte 4',
    );
  return {
    name: parsed.name,
    cosignedAt(note) {
      const { text, signatures } = signaturesIn(note, parsed);
      const seconds = signatures.flatMap((bytes) => {
        if (bytes.length <= TIME_BYTES) return [];
        const time = Buffer.from(bytes).readBigUInt64BE();
        const message = Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
        const isValid = time <= LAST_SECOND && verify(null, message, parsed.key, bytes.subarray(TIME_BYTES));
        return isValid ? [Number(time)] : [];
      });
      return seconds.length === 0 ? undefined : new Date(Math.max(...seconds) * 1_000).toISOString();
    },
  };
}
