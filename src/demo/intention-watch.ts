import { z } from 'zod';
import type { Clock } from '../clock.js';
import { createNotifier } from '../notifier.js';
import { type ConsulPlace, callConsul } from './consul-api.js';
import { type Call, type Intention, judge, parseIntentions, type Verdict } from './rbac.js';

/** The intentions and protocols in Consul, as the sidecars last read them. */
export interface IntentionWatch {
  judge(call: Call): Verdict;
  /** The protocol of a destination; `tcp` if none is set, as in Consul. */
  protocolOf(serviceName: string): string;
  /** How many pairs of services have an intention that allows something. */
  openCount(): number;
  /** Resolves once `isSo` returns true, checked after each change; rejects when the signal is aborted. */
  until(isSo: () => boolean, signal: AbortSignal): Promise<void>;
  /** Resolves once no query is running. */
  close(): Promise<void>;
}

const WAIT_MS = 60_000;
const RETRY_MS = 500;

const DEFAULTS = z.array(z.object({ Name: z.string(), Protocol: z.string().optional() }));

/**
 * Follows Consul by blocking queries, as a proxy does. While Consul is unreachable, the last answer stays valid. Before
 * the first answer, every call is denied.
 */
export function watchIntentions(consul: ConsulPlace, clock: Clock): IntentionWatch {
  const stop = new AbortController();
  const changed = createNotifier();
  let intentions: readonly Intention[] = [];
  let protocols: ReadonlyMap<string, string> = new Map();

  const follow = async (kind: string, take: (json: unknown) => void) => {
    let index = 0;
    while (!stop.signal.aborted) {
      try {
        const path = `/v1/config/${kind}?index=${index}&wait=${WAIT_MS}ms`;
        const answer = await callConsul(consul, { path, timeoutMs: WAIT_MS * 2 }, stop.signal);
        // An index that went back means that Consul was restored: start again.
        const isBehind = answer.index < index;
        index = isBehind ? 0 : Math.max(1, answer.index);
        if (isBehind) continue;
        take(answer.json);
        changed.notify();
      } catch {
        index = 0;
        await clock.sleep(RETRY_MS, stop.signal).catch(() => {});
      }
    }
  };
  const following = Promise.all([
    follow('service-intentions', (json) => {
      intentions = parseIntentions(json);
    }),
    follow('service-defaults', (json) => {
      protocols = new Map(DEFAULTS.parse(json).map(({ Name, Protocol }) => [Name, Protocol || 'tcp']));
    }),
  ]);

  const protocolOf = (serviceName: string) => protocols.get(serviceName) ?? 'tcp';
  return {
    judge: (call) => judge(call, intentions, protocolOf(call.destination)),
    protocolOf,
    openCount: () =>
      intentions.filter(
        ({ Action, Permissions }) =>
          Action === 'allow' || Permissions.some((permission) => permission.Action === 'allow'),
      ).length,
    async until(isSo, signal) {
      for (;;) {
        signal.throwIfAborted();
        if (isSo()) return;
        await changed.wait(signal);
      }
    },
    async close() {
      stop.abort(new Error('closed'));
      await following;
    },
  };
}
