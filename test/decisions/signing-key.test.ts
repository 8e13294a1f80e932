import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSigningKey, publicKeyPath } from '../../src/decisions/signing-key.js';
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

  it('that the configuration names must be there', () => {
    expect(() => open(join(directory, 'nope.pem'))).toThrow('check decisions.signingKeyFile');
  });
});
