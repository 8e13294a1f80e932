import { jsonIn } from './json-in.js';

/** A replica that leads, or led last. */
export interface Leader {
  /** Names the process among the replicas. */
  readonly replica: string;
  readonly host: string;
  /** `http://HOST:PORT` of its API; absent for a command. */
  readonly address?: string;
  /** ISO 8601. */
  readonly since: string;
  /** Grows with each change of leader. */
  readonly epoch: number;
  /** Of the store that the replica works on. */
  readonly storeId: string;
}

/** Undefined for a text that no replica wrote. */
export function parseLeader(text: string | undefined): Leader | undefined {
  const value = jsonIn(text ?? '');
  if (typeof value !== 'object' || value === null) return undefined;
  const { replica, host, address, since, epoch, storeId }: Partial<Record<keyof Leader, unknown>> = value;
  if (typeof replica !== 'string' || typeof host !== 'string' || typeof storeId !== 'string')
    return undefined;
  if (typeof since !== 'string' || !Number.isSafeInteger(epoch) || typeof epoch !== 'number')
    return undefined;
  const known = { replica: plain(replica), host: plain(host), since: plain(since), epoch, storeId };
  return typeof address === 'string' ? { ...known, address: plain(address) } : known;
}

/** For errors and logs: a person who may write the key can put anything there. */
function plain(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
