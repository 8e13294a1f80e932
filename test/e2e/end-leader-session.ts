import type { ConsulHandle } from '../stack/consul.js';

/**
 * Ends the session of a leader that was killed, as an operator may. Otherwise the next start waits until Consul ends it,
 * up to 20 s later, and is refused with another store. What happens then is tested in `replicas` and `crash`.
 */
export async function endLeaderSession(consul: ConsulHandle, owner: string): Promise<void> {
  const [lock] = (await consul.request('GET', `/v1/kv/scopemesh/${owner}/leader`)) as { Session?: string }[];
  if (lock?.Session !== undefined) await consul.request('PUT', `/v1/session/destroy/${lock.Session}`);
}
