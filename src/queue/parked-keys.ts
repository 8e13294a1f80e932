import type { Agenda } from './agenda.js';
import type { Queue, Unparked } from './queue.js';

/** Unparks keys wherever they are parked: in the durable queue, in memory, or in both. */
export interface ParkedKeys {
  /** As `Queue.unpark`. */
  unpark(key: string, how: 'run' | 'drop'): Promise<Unparked>;
}

export function createParkedKeys(
  queue: Pick<Queue, 'unpark'>,
  agenda: Pick<Agenda, 'unpark'> | undefined,
  onDropped: (key: string) => void = () => {},
): ParkedKeys {
  return {
    async unpark(key, how) {
      // First in memory: there it is refused if the key runs.
      const inMemory = (await agenda?.unpark(key, how)) ?? 'not-parked';
      if (inMemory === 'running' || inMemory === 'has-order') return inMemory;
      const durable = await queue.unpark(key, how);
      const unparked = durable === 'not-parked' ? inMemory : durable;
      if (how === 'drop' && unparked === 'done') onDropped(key);
      return unparked;
    },
  };
}

/** Why a key was not unparked; undefined if it was. */
export function unparkRefusal(unparked: Unparked): string | undefined {
  switch (unparked) {
    case 'done':
      return undefined;
    case 'not-parked':
      return 'this key is not parked';
    case 'running':
      return 'this key runs at the moment; list the parked keys again and drop it if it is still there';
    case 'has-order':
      return 'this key has a revocation order, which no comparison finds again; correct the cause and retry the key';
  }
}
