import type { Config } from '../../config/config.js';
import { readJwksUri } from '../identity/discovery.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import type { Runtime } from '../runtime.js';

/** Readers of the address of each provider's keys, by provider name. */
export function createJwksUris(
  { providers }: Pick<Config, 'providers'>,
  { clock, metrics }: Runtime,
): ReconcilerDeps['jwksUris'] {
  return new Map(
    providers.map(({ name, issuer }) => [
      name,
      (signal: AbortSignal) => readJwksUri({ provider: name, issuer, clock, metrics }, signal),
    ]),
  );
}
