import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface RsaPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** Pairs of earlier processes and runs, numbered. */
const KEPT = fileURLToPath(new URL('../../node_modules/.cache/scopemesh/rsa-keys', import.meta.url));

const free: RsaPair[] = [];
let taken = 0;

/**
 * A pair that nobody else in this process holds now. To make one costs two tenths of a second of processor time, so pairs that were
 * given back serve again, and all processes and runs make the same ones.
 */
export function takeRsaPair(): RsaPair {
  return free.pop() ?? pairOf(taken++);
}

export function giveBackRsaPair(pair: RsaPair): void {
  free.push(pair);
}

function pairOf(index: number): RsaPair {
  const path = join(KEPT, `${index}.pem`);
  if (existsSync(path)) {
    const privateKey = createPrivateKey(readFileSync(path));
    return { privateKey, publicKey: createPublicKey(privateKey) };
  }
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  mkdirSync(KEPT, { recursive: true });
  // Renamed, so that another process never reads half a file.
  writeFileSync(`${path}.${process.pid}`, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  });
  renameSync(`${path}.${process.pid}`, path);
  return pair;
}
