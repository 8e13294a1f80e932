import { generateKeyPairSync, type KeyObject } from 'node:crypto';

export interface RsaPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const free: RsaPair[] = [];

/** A pair that nobody else holds now. To make one costs a tenth of a second, so pairs that were given back serve again. */
export function takeRsaPair(): RsaPair {
  return free.pop() ?? generateKeyPairSync('rsa', { modulusLength: 2048 });
}

export function giveBackRsaPair(pair: RsaPair): void {
  free.push(pair);
}
