import type { Config } from '../config/config.js';
import { readJwksUri } from '../src/identity/discovery.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import type { Ambience } from './wire.js';

/** How the address of each provider's keys is read, by provider name. */
export function createJwksUris(
  { providers }: Pick<Config, 'providers'>,
  { clock, metrics }: Ambience,
): ReconcilerDeps['jwksUris'] {
  return new Map(
    providers.map(({ name, issuer }) => [
      name,
      (signal: AbortSignal) => readJwksUri({ provider: name, issuer, clock, metrics }, signal),
    ]),
  );
}
