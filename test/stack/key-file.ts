import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let file: string | undefined;

/** The key that signs the decisions of every replica of this process: made once, and deleted when the process ends. */
export function signingKeyFile(): string {
  if (file !== undefined) return file;
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-key-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  file = join(directory, 'trail-key.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return file;
}
