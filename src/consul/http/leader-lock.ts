import { SyncError } from '../../errors.js';
import type { LeaderLock } from '../consul.js';
import { Reader } from '../reader.js';
import { completeIn, parseJson, parseVerdict } from './answer.js';
import type { ConsulClient } from './consul-client.js';
import { keyIn } from './kv-key.js';
import { ownerKey, toKvPath } from './kv-keys.js';
import type { Transport } from './transport.js';

/** A request of the lease must fail before the lease ends. */
const timeoutMs = 3_000;

/** The lock is on `scopemesh/<owner>/leader` in KV. */
export function createLeaderLock(client: ConsulClient, transport: Transport, owner: string): LeaderLock {
  const key = ownerKey(owner, 'leader');
  // A proxy may refuse an encoded slash, as the package would write it.
  const path = { encode: false, toString: () => toKvPath(key).replace('/v1/kv/', '') };
  return {
    key,
    async read(signal) {
      const options = { operation: 'lock.read', signal, timeoutMs, expected: [200, 404] } as const;
      const answer = await client.call(options, (api, given) =>
        api.kv.get({ key: path, consistent: true, ...given }),
      );
      const read = await completeIn(answer, transport, options.operation, signal);
      const found = keyIn(read, options.operation);
      return { value: found?.text, session: found?.session };
    },
    async createSession(name, ttlSeconds, signal) {
      const operation = 'lock.session';
      const session = {
        name,
        ttl: `${ttlSeconds}s`,
        behavior: 'release',
        lockdelay: '0s',
        // No health check: the TTL alone ends it. The check of the agent's node would also end it with that agent.
        checks: [],
      };
      const answer = await client
        .call({ operation, signal, timeoutMs }, (api, given) => api.session.create({ ...session, ...given }))
        .catch(namesRule);
      const reader = new Reader(operation);
      return reader.text(reader.record(parseJson(answer.body, operation)).ID);
    },
    async renewSession(id, signal) {
      const options = { operation: 'lock.renew', signal, timeoutMs, expected: [200, 404] } as const;
      const answer = await client.call(options, (api, given) => api.session.renew({ id, ...given }));
      return answer.status === 200;
    },
    async endSession(id, signal) {
      await client
        .call({ operation: 'lock.end', signal, timeoutMs }, (api, given) =>
          api.session.destroy({ id, ...given }),
        )
        .catch(namesRule);
    },
    async acquire(acquire, value, signal) {
      const operation = 'lock.acquire';
      // Consul answers 500 for a session that has ended.
      const options = { operation, signal, timeoutMs, expected: [200, 500] } as const;
      const answer = await client.call(options, (api, given) =>
        api.kv.set({ key: path, value, acquire, ...given }),
      );
      if (answer.status === 200) return parseVerdict(answer, operation);
      const said = new TextDecoder().decode(answer.body.subarray(0, 200));
      if (/invalid session/i.test(said)) return false;
      const message = `Consul ${operation}: answered 500`;
      throw new SyncError('ERR_CONSUL_UNREACHABLE', message, { retriable: true });
    },
  };
}

function namesRule(error: unknown): never {
  if (!(error instanceof SyncError) || error.code !== 'ERR_CONSUL_DENIED') throw error;
  const message = `${error.message}; a leader needs a session: add session_prefix "" { policy = "write" } to the policy of the token`;
  throw new SyncError('ERR_CONSUL_DENIED', message, { retriable: false, cause: error });
}
