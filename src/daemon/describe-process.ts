import { hostname, networkInterfaces } from 'node:os';
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

/** `address` as other machines reach it: a server that listens on all addresses has none of its own. */
export function reachableAddress(address: string, listensOn: string): string {
  if (listensOn !== '0.0.0.0' && listensOn !== '::') return address;
  const outside = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find((each) => !each.internal && (each.family === 'IPv4' || (listensOn === '::' && each.scopeid === 0)));
  if (outside === undefined) return address;
  const { family, address: host } = outside;
  const url = new URL(address);
  return `${url.protocol}//${family === 'IPv6' ? `[${host}]` : host}:${url.port}`;
}
