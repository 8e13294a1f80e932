import type { Auth0Options } from '../../../src/identity/auth0/auth0.js';
import type { EventSource, PollResult, Reception } from '../../../src/identity/source.js';
import { formatKey } from '../../../src/model/key.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { API, type Auth0, startAuth0 } from '../../support/auth0/auth0.js';
import { createMovableClock, type MovableClock } from '../../support/movable-clock.js';
import { openAuth0 } from './open.js';

const AUTHORIZATION = 'Bearer stream';

/** A tenant with an application that has a grant, read once, and the poll of its log, which has begun. */
export interface PollRig {
  readonly tenant: Auth0;
  readonly clock: MovableClock;
  readonly parts: ReturnType<typeof openAuth0>;
  /** What was logged as a warning, with its fields. */
  readonly warnings: readonly { readonly message: string }[];
  /** What was counted, with its labels. */
  readonly counted: readonly object[];
  /** Polls from the cursor on. */
  next(): Promise<PollResult>;
  /** The same, in short. */
  reported(): Promise<ReturnType<typeof inShort>>;
  /** What a log stream sends. */
  receive(body: string): Promise<Reception>;
  /** As a restart leaves things: the cursor alone, or not even that. */
  restart(from?: 'cursor' | 'nothing'): Promise<void>;
  stop(): Promise<void>;
}

/** With or without the event stream. The stream ends after what is there, so that no poll waits for silence. */
export async function startPollRig(eventStream: boolean): Promise<PollRig> {
  const signal = new AbortController().signal;
  const clock = createMovableClock();
  const tenant = await startAuth0(clock.now);
  tenant.streamsEnd = true;
  tenant.addApi(API, ['read:orders', 'write:orders']);
  tenant.addClient('app');
  tenant.grant('app', ['read:orders']);
  tenant.permissions = new Set([...tenant.permissions, 'read:events']);
  const warnings: { message: string }[] = [];
  const counted: object[] = [];
  const options: Partial<Auth0Options> = {
    webhookSecrets: [new Secret(AUTHORIZATION)],
    eventStream,
    clock,
    logger: { ...silentLogger, warn: (fields, message) => void warnings.push({ ...fields, message }) },
    metrics: { ...noMetrics, count: (name, labels) => void counted.push({ name, ...labels }) },
  };
  let parts = openAuth0(tenant, options);
  let cursor: string | undefined;
  const next = async () => {
    const result = await parts.poll.poll(cursor, signal);
    cursor = result.cursor;
    return result;
  };
  await parts.directory.readAll(signal);
  await next();
  return {
    tenant,
    clock,
    get parts() {
      return parts;
    },
    warnings,
    counted,
    next,
    reported: async () => inShort(await next()),
    receive: (body) =>
      (parts.source as EventSource).receive({
        method: 'POST',
        headers: { authorization: AUTHORIZATION },
        query: {},
        body: new TextEncoder().encode(body),
        receivedAt: new Date(clock.now()).toISOString(),
      }),
    async restart(from = 'cursor') {
      await parts.directory.close();
      parts = openAuth0(tenant, options);
      if (from === 'nothing') cursor = undefined;
    },
    async stop() {
      await parts.directory.close();
      await tenant.close();
    },
  };
}

function inShort({ events, gap }: PollResult) {
  // What the log proves is reported again beside its hint.
  const hints = events.filter(({ id }) => !id.startsWith('log/'));
  return {
    keys: hints.flatMap(({ triggers }) => triggers.map(({ key }) => formatKey(key))),
    triggers: hints.flatMap(({ triggers }) => triggers),
    orders: events.flatMap(({ orders }) => orders),
    gap,
  };
}
