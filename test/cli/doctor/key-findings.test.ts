import { rmSync, writeFileSync } from 'node:fs';
import { beforeEach, expect, it } from 'vitest';
import { keyFindings } from '../../../src/cli/doctor/key-findings.js';
import { originOf, signBeginning } from '../../../src/decisions/checkpoint.js';
import { publicKeyPath } from '../../../src/decisions/signing-key.js';
import { signer, stranger } from '../../support/signed-log.js';
import { newDirectory } from '../../support/use-directory.js';

let directory: string;
beforeEach(() => {
  directory = newDirectory();
  writeFileSync(publicKeyPath(directory), signer.verifierKey);
});

async function severities(note: () => Promise<string | undefined>, trustedKeys: readonly string[] = []) {
  const decisions = { kind: 'embedded' as const, keepMs: 1, webhooks: [], trustedKeys: [...trustedKeys] };
  const logNote = { read: note, write: async () => {} };
  const signal = new AbortController().signal;
  const found = await keyFindings({ state: { directory }, decisions }, logNote, signal);
  return found.map(({ severity }) => severity);
}
const noteBy = (by: typeof signer) => async () => signBeginning(by, originOf('payments', 'one'), undefined);

it('a note of the log by another key is an error, until that key is trusted', async () => {
  expect(await severities(noteBy(signer))).toEqual(['ok']);
  expect(await severities(noteBy(stranger))).toEqual(['error']);
  expect(await severities(noteBy(stranger), [stranger.verifierKey])).toEqual(['ok']);
});

it('nothing is said without a note, without the right to read it, and on a machine without a key', async () => {
  expect(await severities(async () => undefined)).toEqual([]);
  expect(await severities(() => Promise.reject(new Error('403')))).toEqual([]);
  rmSync(publicKeyPath(directory));
  expect(await severities(noteBy(stranger))).toEqual([]);
});
