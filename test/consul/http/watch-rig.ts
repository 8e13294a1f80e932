import type { Clock } from '../../../src/clock.js';
import type { Consul, WatchedTable } from '../../../src/consul/consul.js';
import type { HttpConsulOptions } from '../../../src/consul/http/http-consul.js';
import { aborted } from '../../support/aborted.js';
import { connect, type Exchange, startFaultServer } from './fault-server.js';

export const closers: (() => Promise<void>)[] = [];

/** After each test. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** The shortest time until a comparison. */
export const MIN_CHECK_MS = 24_000;

/** A clock whose sleeps end at once, and are written down. A sleep until a comparison never ends. */
export function instantClock(): Clock & { readonly slept: number[] } {
  let now = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      if (ms >= MIN_CHECK_MS) return aborted(signal);
      slept.push(ms);
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

export interface Observed {
  readonly consul: Consul;
  readonly seen: readonly string[];
  readonly events: string[];
  /** Resolves once the watch has ended. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** A watch on a Consul that `answer` plays, until it is stopped. */
export async function observe(
  table: WatchedTable,
  answer: (exchange: Exchange, count: number, stop: () => void) => void,
  options: Partial<HttpConsulOptions> = {},
  taken?: () => Promise<void>,
): Promise<Observed> {
  const stopping = new AbortController();
  const stop = () => stopping.abort(new Error('stopped'));
  let count = 0;
  const server = await startFaultServer((exchange) => answer(exchange, ++count, stop));
  closers.push(server.close);
  const consul = connect(server.address, options);
  closers.push(() => consul.close());
  const events: string[] = [];
  const says = { changed: () => events.push('changed'), alive: () => events.push('alive') };
  const listener = taken === undefined ? says : { ...says, taken };
  const ended = consul.watch(table, listener, stopping.signal);
  return { consul, seen: server.seen, events, ended, stop };
}

/** Answers one index after the other, then aborts the watch. */
export const withIndexes =
  (indexes: readonly string[]) => (exchange: Exchange, count: number, stop: () => void) => {
    const index = indexes[count - 1];
    if (index === undefined) stop();
    else exchange.reply(200, {}, { 'X-Consul-Index': index });
  };
