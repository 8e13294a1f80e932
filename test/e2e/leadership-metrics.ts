import { isDeepStrictEqual } from 'node:util';
import { until } from '../stack/process.js';

/** What `/metrics` says of a replica's part in leading. */
export interface LeadershipMetrics {
  readonly leader: number;
  readonly takeovers: number;
  readonly leaderlessSeconds: number;
}

export const LEADS_ONCE: LeadershipMetrics = { leader: 1, takeovers: 1, leaderlessSeconds: 0 };
export const FOLLOWS: LeadershipMetrics = { leader: 0, takeovers: 0, leaderlessSeconds: 0 };

/** Resolves once the metrics of the replica are these. A standby that is slow to look may know of no leader at first. */
export async function showsLeadership(
  { daemon }: { readonly daemon: { readonly address: string } },
  expected: LeadershipMetrics,
): Promise<void> {
  let seen: LeadershipMetrics | undefined;
  const isSo = async () => {
    seen = await read(daemon.address);
    return isDeepStrictEqual(seen, expected);
  };
  await until('the metrics', isSo, { timeoutMs: 60_000 }).catch((cause: unknown) => {
    throw new Error(`not ${JSON.stringify(expected)} but ${JSON.stringify(seen)}`, { cause });
  });
}

/** A sample that is missing is NaN. */
async function read(address: string): Promise<LeadershipMetrics> {
  const text = await (await fetch(`${address}/metrics`)).text();
  const sample = (name: string) => Number(new RegExp(`^scopemesh_${name} (.*)$`, 'm').exec(text)?.[1]);
  return {
    leader: sample('leader'),
    takeovers: sample('takeovers_total'),
    leaderlessSeconds: sample('leaderless_seconds'),
  };
}
