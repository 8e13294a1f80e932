import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, SyncError } from '../errors.js';
import { makeDirectory } from '../make-directory.js';
import type { Logger } from '../observe.js';
import { createNoteSigner, type NoteSigner } from './signed-note.js';

export interface SigningKeyOptions {
  readonly owner: string;
  /** The state directory: where the key is made if no file is configured, and where the public key is written. */
  readonly directory: string;
  /** A configured key: Ed25519, PKCS #8 in PEM. */
  readonly file: string | undefined;
  readonly logger: Logger;
}

const KEY_FILE = 'trail-key.pem';
const PUBLIC_FILE = 'trail-key.pub';

/**
 * The key that signs checkpoints of the decision log. Without a configured file, the first start makes one in the state
 * directory. Writes the public key beside it. Throws SyncError ERR_CONFIG.
 */
export function openSigningKey({ owner, directory, file, logger }: SigningKeyOptions): NoteSigner {
  const path = file ?? join(directory, KEY_FILE);
  try {
    makeDirectory(directory);
    if (file === undefined && !existsSync(path)) makeKey(path, logger);
    const signer = createNoteSigner(`scopemesh/${owner}`, readFileSync(path, 'utf8'));
    writeFileSync(publicKeyPath(directory), `${signer.verifierKey}\n`, { mode: 0o644 });
    return signer;
  } catch (error) {
    if (error instanceof SyncError) throw error;
    const message = `the signing key ${path} cannot be used (${messageOf(error)}); check decisions.signingKeyFile and state.directory`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false, cause: error });
  }
}

/** Where a process writes the public key of its signing key. */
export function publicKeyPath(directory: string): string {
  return join(directory, PUBLIC_FILE);
}

function makeKey(path: string, logger: Logger): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  // `wx`: two processes that start at the same time must not sign with two keys.
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  logger.warn(
    { path, publicKey: PUBLIC_FILE },
    'made a key that signs the decision log; back it up, and give the public key to those who verify the log',
  );
}
