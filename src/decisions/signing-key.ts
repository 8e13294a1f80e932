import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configError, messageOf } from '../errors.js';
import { makeStateDirectory } from '../make-directory.js';
import type { Logger } from '../observe.js';
import { ProofCheck } from './batch-proof.js';
import { createNoteSigner, createNoteVerifier, type NoteSigner, type NoteVerifier } from './signed-note.js';

interface SigningKeyOptions {
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
 * The key that signs the decisions. Without a configured file, the first start makes one in the state directory. Writes the
 * public key beside it. Throws SyncError ERR_CONFIG if the key cannot be made or read.
 */
export function openSigningKey({ owner, directory, file, logger }: SigningKeyOptions): NoteSigner {
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
    const remedy = file === undefined ? 'repair the key, or move it away' : 'check decisions.signingKeyFile';
    throw configError(`the signing key ${path} cannot be used (${messageOf(error)}); ${remedy}`, error);
  }
}

/** Whose decisions count here: the key of this state directory, if it made one yet, and those of the configuration. */
export function trustedKeys(directory: string, configured: readonly string[] = []): readonly NoteVerifier[] {
  const own = publicKeyPath(directory);
  const keys = [...(existsSync(own) ? [readFileSync(own, 'utf8')] : []), ...configured];
  return keys.map(createNoteVerifier);
}

/** The same for each message of a topic: reads the keys once, as soon as this state directory has one. */
export function trustedProofs(directory: string, configured: readonly string[] = []): () => ProofCheck {
  let known: ProofCheck | undefined;
  return () => {
    if (known !== undefined) return known;
    const hasOwn = existsSync(publicKeyPath(directory));
    const proofs = new ProofCheck(trustedKeys(directory, configured));
    if (hasOwn) known = proofs;
    return proofs;
  };
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
    'made a key that signs the decisions; back it up, and give the public key to those who read or verify the log',
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
