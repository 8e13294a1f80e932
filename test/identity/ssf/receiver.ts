import type { IdentityEvent, RawRequest } from '../../../src/identity/source.js';
import type { SsfOptions } from '../../../src/identity/ssf/options.js';
import { createSsf, type Ssf } from '../../../src/identity/ssf/ssf.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createMovableClock, type MovableClock } from '../../support/movable-clock.js';
import { type StandInTransmitter, startTransmitter } from '../../support/ssf/transmitter.js';

export const ISSUER = 'https://tokens.example.com';
export const AUDIENCE = 'https://scopemesh.example.com';
export const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
export const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
export const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/';

/** Jane, as the tokens name her. */
export const JANE = { format: 'iss_sub', iss: ISSUER, sub: 'jane' };

export interface Receiver {
  readonly transmitter: StandInTransmitter;
  readonly clock: MovableClock;
  readonly ssf: Ssf;
  /** The process ends and another begins, with these options over those of the first. */
  restart(options?: Partial<SsfOptions>): Promise<void>;
  /** Each count of a metric, with its result. */
  readonly counted: string[];
  readonly logs: { readonly message: string; readonly fields: object }[];
  /** A set signed by the transmitter's first key, or this text, as a push brings it. */
  push(set: Record<string, unknown> | string, headers?: Record<string, string>): Promise<IdentityEvent>;
  close(): Promise<void>;
}

export async function startReceiver(
  options: Partial<SsfOptions> & {
    readonly path?: string;
    readonly isAppended?: boolean;
    /** Every wait finds that its time has passed. */
    readonly isHasty?: boolean;
  } = {},
): Promise<Receiver> {
  const { path, isAppended, isHasty, ...rest } = options;
  const movable = createMovableClock();
  const clock = isHasty === true ? { ...movable, sleep: async (ms: number) => movable.advance(ms) } : movable;
  const transmitter = await startTransmitter({
    now: () => clock.now(),
    ...(path === undefined ? {} : { path }),
    ...(isAppended === undefined ? {} : { isAppended }),
  });
  const logs: Receiver['logs'] = [];
  const counted: string[] = [];
  const log = (fields: object, message: string) => logs.push({ message, fields });
  const open = (over: Partial<SsfOptions> = {}) =>
    createSsf({
      provider: 'main',
      issuer: ISSUER,
      insecure: false,
      transmitter: transmitter.issuer,
      audiences: [AUDIENCE],
      delivery: 'push',
      endpoint: 'https://scopemesh.example.com/events/main',
      pushTokens: [],
      verifyMs: 900_000,
      pollMs: 1_000,
      clock,
      logger: { ...silentLogger, warn: log },
      metrics: { ...noMetrics, count: (name, labels) => counted.push(`${name} ${labels?.result}`) },
      ...rest,
      ...over,
    });
  let ssf = open();
  return {
    transmitter,
    clock,
    get ssf() {
      return ssf;
    },
    async restart(over) {
      await ssf.close();
      ssf = open(over);
    },
    logs,
    counted,
    async push(set, headers) {
      const [signer] = transmitter.signers;
      const text = typeof set === 'string' ? set : (signer?.sign(set) ?? '');
      const reception = await ssf.source.receive(pushOf(text, headers, clock.now()));
      const event = reception.kind === 'events' ? reception.events[0] : undefined;
      if (event === undefined) throw new Error('no event was received');
      return event;
    },
    async close() {
      await Promise.all([ssf.close(), transmitter.close()]);
    },
  };
}

/** Credentials by which the stand-in lets its streams be managed. */
export const credentials = { token: new Secret('management-token-0123456789') };

export function pushOf(
  text: string | Uint8Array,
  headers: Record<string, string> = {},
  atMs = Date.now(),
): RawRequest {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/secevent+jwt', accept: 'application/json', ...headers },
    query: {},
    body: new Uint8Array(Buffer.from(text)),
    receivedAt: new Date(atMs).toISOString(),
  };
}
