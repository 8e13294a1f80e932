import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configError, messageOf } from '../errors.js';
import { makeStateDirectory } from '../make-directory.js';
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
 * directory. Writes the public key beside it. Undefined if that key cannot be made or read: the decisions go on without
 * checkpoints, because nothing may stop revocations. Throws SyncError ERR_CONFIG for a configured file.
 */
export function openSigningKey({
  owner,
  directory,
  file,
  logger,
}: SigningKeyOptions): NoteSigner | undefined {
  const path = file ?? join(directory, KEY_FILE);
  try {
    makeStateDirectory(directory);
    if (file === undefined) {
      if (existsSync(path)) keepPrivate(path, logger);
      else makeKey(path, logger);
    }
    const signer = createNoteSigner(`scopemesh/${owner}`, readFileSync(path, 'utf8'));
    writePublicKey(publicKeyPath(directory), signer.verifierKey, logger);
    return signer;
  } catch (error) {
    const message = `the signing key ${path} cannot be used (${messageOf(error)})`;
    if (file !== undefined) throw configError(`${message}; check decisions.signingKeyFile`, error);
    logger.error(
      { error: message },
      'the decision log is not signed; repair or delete the key, and start again',
    );
    return undefined;
  }
}

/** Where a process writes the public key of its signing key. */
export function publicKeyPath(directory: string): string {
  return join(directory, PUBLIC_FILE);
}

/** Appears complete or not at all, and never replaces a key: a crash or a full disk must leave nothing that needs a hand. */
function makeKey(path: string, logger: Logger): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  const temporary = `${path}.${process.pid}`;
  try {
    writeFileSync(temporary, privateKey.export({ type: 'pkcs8', format: 'pem' }), {
      mode: 0o600,
      flush: true,
    });
    linkSync(temporary, path);
  } catch (error) {
    // Another process that started at the same time made it.
    if (!existsSync(path)) throw error;
    return;
  } finally {
    rmSync(temporary, { force: true });
  }
  logger.warn(
    { path, publicKey: PUBLIC_FILE },
    'made a key that signs the decision log; back it up, and give the public key to those who verify the log',
  );
}

/** A copy from a backup may have another mode. Who reads the key can sign a log of their own. */
function keepPrivate(path: string, logger: Logger): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  logger.warn(
    { path },
    'the key that signs the decision log could be read by others; change it if somebody did',
  );
  try {
    chmodSync(path, 0o600);
  } catch (error) {
    logger.warn({ path, error: messageOf(error) }, 'the mode of the signing key could not be changed');
  }
}

function writePublicKey(path: string, key: string, logger: Logger): void {
  const text = `${key}\n`;
  try {
    if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
    writeFileSync(path, text, { mode: 0o644 });
  } catch (error) {
    logger.warn({ path, error: messageOf(error) }, 'the public key of the decision log could not be written');
  }
}
