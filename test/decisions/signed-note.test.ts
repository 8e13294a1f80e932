import { createHash, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createNoteSigner, createNoteVerifier } from '../../src/decisions/signed-note.js';

// The example of https://c2sp.org/signed-note's reference implementation, golang.org/x/mod/sumdb/note.
const VERIFIER_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const NOTE = `${TEXT}\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;

/** A key with the hash that it should have, another first byte, or another length. */
function keyOf(algorithm: number, length: number): string {
  const key = Buffer.alloc(length, 7);
  const hashed = createHash('sha256').update('a\n').update(Buffer.of(1)).update(key).digest('hex');
  return `a+${hashed.slice(0, 8)}+${Buffer.concat([Buffer.of(algorithm), key]).toString('base64')}`;
}

const pemOf = (type: 'ed25519' | 'x25519') =>
  String(
    (type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519')).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    }),
  );

describe('a signed note', () => {
  it('of another implementation is opened with its key', () => {
    expect(createNoteVerifier(VERIFIER_KEY).open(NOTE)).toBe(TEXT);
  });

  it('is opened with the key of its signer, also beside other signatures', () => {
    const signer = createNoteSigner('scopemesh/pay', pemOf('ed25519'));
    const verifier = createNoteVerifier(signer.verifierKey);
    const note = signer.sign('a\nb\n');
    expect(verifier.open(note)).toBe('a\nb\n');
    expect(verifier.open(`${note}\u2014 witness AAAAAAAA\n`)).toBe('a\nb\n');
    expect(createNoteVerifier(VERIFIER_KEY).open(note)).toBeUndefined();
    expect(verifier.open(`${note}${'\u2014 a AAAA\n'.repeat(99)}`)).toBe('a\nb\n');
  });

  it('is opened with a key from a file, which ends with a line break', () => {
    const verifier = createNoteVerifier(`${VERIFIER_KEY}\n`);
    expect([verifier.key, verifier.open(NOTE)]).toEqual([VERIFIER_KEY, TEXT]);
  });

  it.each([
    ['another text', NOTE.replace('answer', 'Answer')],
    ['another signature', NOTE.replace('ZJkuBS', 'ZJkuBT')],
    ['stray bits behind its signature', NOTE.replace('BwJnAM=', 'BwJnAN=')],
    ['another name', NOTE.replace('PeterNeumann', 'Peter')],
    ['no signature', TEXT],
    ['no line break at its end', NOTE.slice(0, -1)],
    ['another sign at its end', `${NOTE.slice(0, -1)} `],
    ['more signatures than anybody needs', `${NOTE}${'\u2014 a AAAA\n'.repeat(100)}`],
    ['nothing', ''],
  ])('with %s is refused', (_, note) => {
    expect(createNoteVerifier(VERIFIER_KEY).open(note)).toBeUndefined();
  });

  it.each([
    '',
    'a+b+c',
    VERIFIER_KEY.replace('c74f20a3', 'c74f20a4'),
    VERIFIER_KEY.replace('Peter', 'Pete'),
    keyOf(4, 32),
    keyOf(1, 31),
    keyOf(1, 33),
  ])('has no verifier with the key "%s"', (key) => {
    expect(() => createNoteVerifier(key)).toThrow('the public key is not an Ed25519 key');
  });

  it.each([
    ['text', 'nothing'],
    ['a key of another kind', pemOf('x25519')],
  ])('has no signer with %s, and the error does not quote it', (_, pem) => {
    const fault =
      /^the signing key of the trail is not an Ed25519 private key in PEM; make one with: openssl genpkey -algorithm ed25519$/;
    expect(() => createNoteSigner('a', pem)).toThrow(fault);
  });
});
