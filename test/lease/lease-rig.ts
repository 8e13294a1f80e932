import { systemClock } from '../../src/clock.js';
import type { LeaderLock, LockState } from '../../src/consul/consul.js';
import { ConsulLease, type ConsulLeaseOptions } from '../../src/lease/consul-lease.js';
import type { Logger } from '../../src/observe.js';
import { createMemoryFence } from '../conformance/memory-fence.js';

export const never = new AbortController().signal;
export const SINCE = '2026-03-01T10:00:00.000Z';

/** What was logged, in any level, with its message. */
export function notes() {
  const logged: Record<string, unknown>[] = [];
  const note = (fields: object, message: string) => void logged.push({ ...fields, message });
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  return { logger, logged };
}

/** The lock of a Consul where no session ends by itself. */
export function memoryLock() {
  let sessions = 0;
  const lock = {
    key: 'scopemesh/pay/leader',
    value: undefined as string | undefined,
    session: undefined as string | undefined,
    /** The names of the sessions, and those that were renewed and ended. */
    created: [] as string[],
    renewed: [] as string[],
    ended: [] as string[],
    read: async (): Promise<LockState> => ({ value: lock.value, session: lock.session }),
    async createSession(name: string) {
      lock.created.push(name);
      return `session ${++sessions}`;
    },
    async renewSession(session: string) {
      lock.renewed.push(session);
      return true;
    },
    async endSession(session: string) {
      lock.ended.push(session);
      if (lock.session === session) lock.session = undefined;
    },
    async acquire(session: string, text: string) {
      if (lock.session !== undefined && lock.session !== session) return false;
      lock.session = session;
      lock.value = text;
      return true;
    },
    written: () => Object(JSON.parse(lock.value ?? '{}')),
  } satisfies LeaderLock & Record<string, unknown>;
  return lock;
}

/** Replicas on one lock, one store and one clock, which only the test moves. */
export function world() {
  const clock = { ...systemClock, at: 1_000_000, now: () => clock.at };
  const [lock, fence] = [memoryLock(), createMemoryFence()];
  const open = (
    replica: string,
    parts: Partial<ConsulLeaseOptions> & { storeId?: string } = {},
  ): ConsulLease =>
    new ConsulLease({
      lock,
      fence,
      self: () => ({ replica, host: 'a', since: SINCE, storeId: parts.storeId ?? 's' }),
      check: async () => undefined,
      ttlSeconds: 10,
      clock,
      ...parts,
    });
  return { clock, lock, fence, open };
}

export async function lead(lease: ConsulLease): Promise<number> {
  const acquired = await lease.acquire(never);
  if (acquired.kind !== 'leads') throw new Error(`it does not lead: ${acquired.kind}`);
  return acquired.leader.epoch;
}
