import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { configError } from '../errors.js';

/** The algorithm byte of Ed25519 in keys and key hashes (https://c2sp.org/signed-note). */
const ED25519 = Buffer.of(1);
/** DER before the 32 bytes of an Ed25519 public key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const MAX_SIGNATURES = 100;
const HASH_BYTES = 4;

/** A signature's line: an em dash, the name of the key, base64 of the key's hash and the signature. */
const SIGNATURE = /^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})$/;
const VERIFIER_KEY = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/;

export interface NoteSigner {
  /** The name of the key. */
  readonly name: string;
  /** Signs a text that ends with a line break. */
  sign(text: string): string;
  /** The bare signature of a text. */
  signatureOf(text: string): Uint8Array;
  /** The key in the form that verifiers take: `name+hash+key`. */
  readonly verifierKey: string;
}

export interface NoteVerifier {
  /** The name of the key. */
  readonly name: string;
  /** The key as it was given. */
  readonly key: string;
  /** The text of a note with a valid signature by this key; undefined otherwise. Ignores signatures by other keys. */
  open(note: string): string | undefined;
  /** Whether this key made the bare signature of the text. */
  hasSigned(text: string, signature: Uint8Array): boolean;
}

/** `pem`: an Ed25519 private key, PKCS #8. Throws SyncError ERR_CONFIG. */
export function createNoteSigner(name: string, pem: string): NoteSigner {
  const key = parsePrivateKey(pem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length);
  const hash = keyHash(name, ED25519, publicKey);
  const signatureOf = (text: string) => sign(null, Buffer.from(text), key);
  return {
    name,
    signatureOf,
    sign(text) {
      const signature = Buffer.concat([hash, signatureOf(text)]).toString('base64');
      return `${text}\n\u2014 ${name} ${signature}\n`;
    },
    verifierKey: `${name}+${hash.toString('hex')}+${Buffer.concat([ED25519, publicKey]).toString('base64')}`,
  };
}

/** Throws SyncError ERR_CONFIG for a text that is not a verifier key of Ed25519. */
export function createNoteVerifier(verifierKey: string): NoteVerifier {
  const parsed = parseVerifierKey(verifierKey, ED25519);
  if (parsed === undefined)
    throw configError(
      'the public key is not an Ed25519 key of the form NAME+HASH+KEY; scopemesh writes it to trail-key.pub',
    );
  const { name, key } = parsed;
  const hasSigned = (text: string, signature: Uint8Array) => verify(null, Buffer.from(text), key, signature);
  return {
    name,
    key: verifierKey.trim(),
    hasSigned,
    open(note) {
      const { text, signatures } = signaturesIn(note, parsed);
      return signatures.some((signature) => hasSigned(text, signature)) ? text : undefined;
    },
  };
}

interface VerifierKey {
  readonly name: string;
  readonly hash: Uint8Array;
  readonly key: KeyObject;
}

/** A key `name+hash+key` with an algorithm byte before 32 bytes of Ed25519; undefined for anything else. */
export function parseVerifierKey(text: string, algorithm: Uint8Array): VerifierKey | undefined {
  const [, name = '', hashText, keyText = ''] = VERIFIER_KEY.exec(text.trim()) ?? [];
  const bytes = Buffer.from(keyText, 'base64');
  const hash = keyHash(name, algorithm, bytes.subarray(1));
  if (bytes.length !== 33 || bytes[0] !== algorithm[0] || hash.toString('hex') !== hashText) return undefined;
  const der = Buffer.concat([SPKI_PREFIX, bytes.subarray(1)]);
  return { name, hash, key: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
}

/** The text of a note, and its signatures that say that this key made them. Nothing is verified. */
export function signaturesIn(
  note: string,
  { name, hash }: VerifierKey,
): { readonly text: string; readonly signatures: readonly Uint8Array[] } {
  const end = note.lastIndexOf('\n\n');
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split('\n');
  if (end === -1 || !note.endsWith('\n') || lines.length > MAX_SIGNATURES) return { text, signatures: [] };
  const signatures = lines.flatMap((line) => {
    const [, signer, base64 = ''] = SIGNATURE.exec(line) ?? [];
    const signature = Buffer.from(base64, 'base64');
    const isOwn =
      signer === name &&
      // Node also decodes a text with stray bits at its end: a signature has one spelling.
      signature.toString('base64') === base64 &&
      signature.subarray(0, HASH_BYTES).equals(hash);
    return isOwn ? [signature.subarray(HASH_BYTES)] : [];
  });
  return { text, signatures };
}

function keyHash(name: string, algorithm: Uint8Array, publicKey: Uint8Array): Buffer {
  const digest = createHash('sha256').update(`${name}\n`).update(algorithm).update(publicKey).digest();
  return digest.subarray(0, HASH_BYTES);
}

function parsePrivateKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // The error of OpenSSL says nothing that helps, and must not quote the key.
  }
  throw configError(
    'the signing key of the trail is not an Ed25519 private key in PEM; make one with: openssl genpkey -algorithm ed25519',
  );
}
