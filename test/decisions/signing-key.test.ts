import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  openSigningKey,
  publicKeyPath,
  trustedKeys,
  trustedProofs,
} from '../../src/decisions/signing-key.js';
import type { Logger } from '../../src/observe.js';

let directory: string;
let said: [string, string][];
let logger: Logger;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-key-'));
  said = [];
  const note = (level: string) => (_: object, message: string) => void said.push([level, message]);
  logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (file?: string) => openSigningKey({ owner: 'payments', directory, file, logger });
const keyFile = () => join(directory, 'trail-key.pem');

describe('the signing key of the trail', () => {
  it('is made once, for its user alone, with a warning, and its public key is beside it', () => {
    const made = open();
    expect(made.verifierKey).toMatch(/^scopemesh\/payments\+/);
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    expect(readFileSync(publicKeyPath(directory), 'utf8')).toBe(`${made.verifierKey}\n`);
    expect(said).toEqual([['warn', expect.stringContaining('made a key that signs the decisions')]]);
    expect(readdirSync(directory).toSorted()).toEqual(['trail-key.pem', 'trail-key.pub']);
    expect(open().verifierKey).toBe(made.verifierKey);
    expect(said).toHaveLength(1);
  });

  it('is for its user alone again after a copy with another mode, with a warning', () => {
    open();
    chmodSync(keyFile(), 0o644);
    expect(open()).toBeDefined();
    expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
    expect(said.slice(1)).toEqual([['warn', expect.stringContaining('could be read by others')]]);
  });

  it('that cannot be read is an error with the remedy', () => {
    writeFileSync(keyFile(), '', { mode: 0o600 });
    expect(open).toThrow('repair the key, or move it away');
  });

  it('that cannot be written is an error, and leaves nothing half-made', () => {
    rmSync(directory, { recursive: true });
    writeFileSync(directory, 'no directory');
    expect(open).toThrow('cannot be used');
    rmSync(directory);
    mkdirSync(directory);
    expect(open()).toBeDefined();
  });

  it('whose public key is lost or another one is beside its public key again', () => {
    const { verifierKey } = open();
    writeFileSync(publicKeyPath(directory), 'another');
    open();
    expect(readFileSync(publicKeyPath(directory), 'utf8')).toBe(`${verifierKey}\n`);
    rmSync(publicKeyPath(directory));
    mkdirSync(publicKeyPath(directory));
    expect(open().verifierKey).toBe(verifierKey);
    expect(said.slice(1)).toEqual([['warn', 'the public key of the decision log could not be written']]);
  });

  it('is trusted beside the configured ones, as soon as it is there', () => {
    const key = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
    const keys = () => trustedKeys(directory, [key]).map((each) => each.key);
    const proofs = trustedProofs(directory);
    expect([keys(), trustedKeys(directory)]).toEqual([[key], []]);
    expect(proofs()).not.toBe(proofs());
    const { verifierKey } = open();
    expect(keys()).toEqual([verifierKey, key]);
    expect(proofs()).toBe(proofs());
  });

  it('that the configuration names must be there', () => {
    expect(() => open(join(directory, 'nope.pem'))).toThrow('check decisions.signingKeyFile');
  });
});
