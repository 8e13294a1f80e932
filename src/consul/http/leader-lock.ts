import { SyncError } from '../../errors.js';
import { definedFields } from '../../model/defined-fields.js';
import type { LeaderLock } from '../consul.js';
import { createReader } from '../reader.js';
import { parseJson, parseVerdict } from './answer.js';
import { readKey, toValueText } from './kv-key.js';
import { ownerKey, toKvPath } from './kv-keys.js';
import { type Tenancy, toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

/** A request of the lease must fail before the lease ends. */
const TIMEOUT_MS = 3_000;

/** The lock is on `scopemesh/<owner>/leader` in KV. */
export function createLeaderLock(transport: Transport, tenancy: Tenancy, owner: string): LeaderLock {
  const key = ownerKey(owner, 'leader');
  const put = (
    operation: Operation,
    path: string,
    signal: AbortSignal,
    { query = {}, body, expected = [200] }: PutOptions = {},
  ) =>
    transport.send(
      {
        operation,
        method: 'PUT',
        path,
        query: { ...toTenancyQuery(tenancy), ...query },
        timeoutMs: TIMEOUT_MS,
        ...definedFields({ body }),
      },
      signal,
      expected,
    );
  return {
    key,
    async read(signal) {
      const pair = await readKey(transport, tenancy, 'lock.read', key, signal, TIMEOUT_MS);
      if (pair === undefined) return { value: undefined, session: undefined };
      const { Session } = pair;
      return {
        value: toValueText(pair.Value),
        session: typeof Session === 'string' && Session !== '' ? Session : undefined,
      };
    },
    async createSession(name, ttlSeconds, signal) {
      const operation = 'lock.session';
      const body = JSON.stringify({
        Name: name,
        TTL: `${ttlSeconds}s`,
        Behavior: 'release',
        LockDelay: '0s',
        // No health check: the TTL alone ends it. The check of the agent's node would also end it with that agent.
        NodeChecks: [],
      });
      const answer = await put(operation, '/v1/session/create', signal, { body }).catch(namesRule);
      const reader = createReader(operation);
      return reader.text(reader.record(parseJson(answer.body, operation)).ID);
    },
    async renewSession(session, signal) {
      const path = `/v1/session/renew/${encodeURIComponent(session)}`;
      const answer = await put('lock.renew', path, signal, { expected: [200, 404] });
      return answer.status === 200;
    },
    async endSession(session, signal) {
      const path = `/v1/session/destroy/${encodeURIComponent(session)}`;
      await put('lock.end', path, signal).catch(namesRule);
    },
    async acquire(session, value, signal) {
      const operation = 'lock.acquire';
      // Consul answers 500 for a session that has ended.
      const options = { query: { acquire: session }, body: value, expected: [200, 500] };
      const answer = await put(operation, toKvPath(key), signal, options);
      if (answer.status === 200) return parseVerdict(answer, operation);
      const said = new TextDecoder().decode(answer.body.subarray(0, 200));
      if (/invalid session/i.test(said)) return false;
      const message = `Consul ${operation}: answered 500`;
      throw new SyncError('ERR_CONSUL_UNREACHABLE', message, { retriable: true });
    },
  };
}

interface PutOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly expected?: readonly number[];
}

function namesRule(error: unknown): never {
  if (!(error instanceof SyncError) || error.code !== 'ERR_CONSUL_DENIED') throw error;
  const message = `${error.message}; a leader needs a session: add session_prefix "" { policy = "write" } to the policy of the token`;
  throw new SyncError('ERR_CONSUL_DENIED', message, { retriable: false, cause: error });
}
