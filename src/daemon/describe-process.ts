import { hostname } from 'node:os';
import { replicaName } from '../app/create-lease.js';
import type { Role } from '../app/run-daemon.js';
import { readBuild, versionText } from '../app/version.js';
import { type Clock, isoInstant } from '../clock.js';
import type { Replica } from '../model/replica.js';

/** This process as the other replicas list it. `address`: of its API. */
export function describeProcess(
  address: string,
  parts: readonly Role[],
  { clock }: { readonly clock: Clock },
): Omit<Replica, 'mapping'> {
  return {
    replica: replicaName(),
    host: hostname(),
    address,
    version: versionText(readBuild()),
    startedAt: isoInstant(clock),
    parts,
  };
}
