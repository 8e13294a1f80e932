import { z } from 'zod';
import type { Clock } from '../clock.js';
import { createNotifier } from '../notifier.js';
import { type ConsulPlace, callConsul } from './consul-api.js';
import { type Call, type Intention, judge, type Verdict } from './rbac.js';

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

const SOURCE = z.object({
  Name: z.string(),
  Peer: z.string().optional(),
  Action: z.enum(['allow', 'deny', '']).optional(),
  Permissions: z
    .array(
      z.object({
        Action: z.enum(['allow', 'deny']),
        JWT: z.unknown().optional(),
        HTTP: z
          .object({
            Methods: z.array(z.string()).nullish(),
            PathExact: z.string().optional(),
            PathPrefix: z.string().optional(),
            PathRegex: z.string().optional(),
            Header: z
              .array(
                z.object({
                  Name: z.string(),
                  Present: z.boolean().optional(),
                  Exact: z.string().optional(),
                  Prefix: z.string().optional(),
                  Suffix: z.string().optional(),
                  Regex: z.string().optional(),
                  Invert: z.boolean().optional(),
                }),
              )
              .nullish(),
          })
          .optional(),
      }),
    )
    .nullish(),
});
const INTENTIONS = z.array(z.object({ Name: z.string(), Sources: z.array(SOURCE).nullish() }));
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
        const answer = await callConsul(consul, { method: 'GET', path, timeoutMs: WAIT_MS * 2 }, stop.signal);
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
      intentions = INTENTIONS.parse(json).flatMap((entry) =>
        (entry.Sources ?? [])
          .filter(({ Peer = '' }) => Peer === '')
          .map((source) => toIntention(entry.Name, source)),
      );
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
        ({ action, permissions }) =>
          action === 'allow' || permissions.some((permission) => permission.action === 'allow'),
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

function toIntention(destination: string, source: z.infer<typeof SOURCE>): Intention {
  return {
    source: source.Name,
    destination,
    action: source.Action === 'allow' ? 'allow' : 'deny',
    permissions: (source.Permissions ?? []).map(({ Action, JWT, HTTP = {} }) => ({
      action: Action,
      isUnverifiable: JWT !== undefined && JWT !== null,
      methods: HTTP.Methods ?? [],
      pathExact: HTTP.PathExact ?? '',
      pathPrefix: HTTP.PathPrefix ?? '',
      pathRegex: HTTP.PathRegex ?? '',
      headers: (HTTP.Header ?? []).map((header) => ({
        name: header.Name,
        isPresent: header.Present === true,
        exact: header.Exact ?? '',
        prefix: header.Prefix ?? '',
        suffix: header.Suffix ?? '',
        regex: header.Regex ?? '',
        isInverted: header.Invert === true,
      })),
    })),
  };
}
