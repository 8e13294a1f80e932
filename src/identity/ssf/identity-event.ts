import { clientKey, providerKey } from '../../model/key.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Cause, Trigger } from '../../model/trigger.js';
import type { Logger, Metrics } from '../../observe.js';
import type { IdentityEvent } from '../source.js';
import { isStreamUpdated, isVerification, type Meaning, meaningOf } from './meaning.js';
import { InvalidSet } from './refusal.js';
import type { SecurityEventSet } from './set.js';
import { type VerificationStates, verificationEventId } from './states.js';
import { toWhom, type Whom } from './subject.js';

export interface SetContext {
  readonly provider: string;
  /** Of the provider's tokens: whose subjects are ours. */
  readonly issuer: string;
  /** Absent where nothing is ever verified, because the stream is made by hand. */
  readonly states?: VerificationStates;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const DAY_MS = 24 * 3600_000;
/** Together no longer than ids are remembered after their receipt: what is older, or further ahead, may be a replay. */
const BELIEVED = { behindMs: 6 * DAY_MS, aheadMs: DAY_MS };
/** By more than this no two clocks differ that are kept. */
const CLOCKS_DIFFER_MS = 300_000;

/**
 * What a set says to scopemesh. Its signature is proof, so it brings orders; an order that ends sessions may come again
 * at any time, for it names its instant, while one about a client is believed for six days. A set that is dated ahead
 * counts too: ours may be the clock that is wrong, and a transmitter need not send again what was refused (RFC 8935,
 * section 2). Throws InvalidSet for a state of verification that nobody asked with.
 */
export function toIdentityEvent(
  set: SecurityEventSet,
  origin: { readonly kind: 'webhook' | 'poll'; readonly receivedAt: string },
  context: SetContext,
): IdentityEvent {
  const id = `set/${set.jti}`;
  const cause: Cause = { kind: origin.kind, eventId: id, receivedAt: origin.receivedAt };
  const receivedAtMs = Date.parse(origin.receivedAt);
  const issuedAtMs = set.issuedAt * 1000;
  const aheadMs = issuedAtMs - receivedAtMs;
  if (aheadMs > CLOCKS_DIFFER_MS) {
    const { provider, logger } = context;
    const fields = { provider, eventId: id, aheadSeconds: Math.round(aheadMs / 1000) };
    logger.warn(fields, 'a shared signal is dated ahead of the clock here, and counts: compare the clocks');
  }
  // By our clock alone, where it is slow, what was issued just before would outlive the event.
  const latestMs = Math.max(receivedAtMs, issuedAtMs);
  const clamp = (atMs: number) => new Date(Math.min(atMs, latestMs)).toISOString();
  const isFresh = -aheadMs < BELIEVED.behindMs && aheadMs <= BELIEVED.aheadMs;
  const parts = [...set.events].map(([type, said]): Told => {
    if (isVerification(type)) return toProof(said.state, context);
    if (isStreamUpdated(type)) return tellOfStream(said.status, cause, context);
    const meaning = meaningOf(type, said);
    if (meaning === undefined) return NOTHING;
    const at = clamp(endOf(toSeconds(said.event_timestamp) ?? set.happenedAt ?? set.issuedAt));
    const whom = toWhom(set.subject ?? said.subject, context.issuer);
    return tell(meaning, whom, { type, cause, at, isFresh }, context);
  });
  const [proof] = parts.flatMap(({ proofId }) => proofId ?? []);
  return {
    id: proof ?? id,
    occurredAt: clamp((set.happenedAt ?? set.issuedAt) * 1000),
    // Several types in one set are names of one event (SSF 1.0, section 4.2.1), so they say the same.
    triggers: distinct(parts.flatMap(({ triggers }) => triggers)),
    orders: distinct(parts.flatMap(({ orders }) => orders)),
    ...(proof === undefined ? {} : { isProof: true }),
  };
}

interface Telling {
  readonly type: string;
  readonly cause: Cause;
  /** ISO 8601, never later than the set was issued or received. */
  readonly at: string;
  readonly isFresh: boolean;
}

interface Told {
  readonly triggers: readonly Trigger[];
  readonly orders: readonly RevocationOrder[];
  /** The event answers a request for verification, under this id. */
  readonly proofId?: string;
}

const NOTHING: Told = { triggers: [], orders: [] };

function tell(meaning: Meaning, { subject, client }: Whom, telling: Telling, context: SetContext): Told {
  const { provider, logger, metrics } = context;
  if (subject === undefined && client === undefined) {
    if (meaning.endsSessions === true) {
      const { type, cause } = telling;
      metrics.count('scopemesh_events_total', { provider, result: 'unresolved' });
      logger.warn(
        { provider, eventId: cause.eventId, type },
        'a shared signal names nobody whom a token or a client names',
      );
    }
    const triggers = meaning.isRead === true ? [readOfAll(meaning, provider, telling.cause)] : [];
    return { triggers, orders: [] };
  }
  if (client !== undefined) return tellOfClient(meaning, client, telling, context);
  return subject === undefined ? NOTHING : tellOfPerson(meaning, subject, telling, provider);
}

function tellOfPerson(
  meaning: Meaning,
  subject: string,
  { cause, at, isFresh }: Telling,
  provider: string,
): Told {
  const orders: RevocationOrder[] =
    meaning.endsSessions === true ? [{ kind: 'session-revoked', provider, subject, at, cause }] : [];
  if (meaning.isRead !== true) return { triggers: [], orders };
  // The signal itself says that theirs may be fewer groups.
  const evidence = isFresh ? { evidence: [{ provider, people: [subject] }] } : {};
  return {
    triggers: [{ key: providerKey(provider), cause, urgent: true, members: true, ...evidence }],
    orders,
  };
}

function tellOfClient(
  meaning: Meaning,
  { clientId, isCertain }: NonNullable<Whom['client']>,
  { cause, at, isFresh }: Telling,
  { provider, logger, metrics }: SetContext,
): Told {
  const said = meaning.client ?? (meaning.endsSessions === true ? 'session-revoked' : undefined);
  if (said === undefined) return NOTHING;
  const isUntimely = said === 'secret-compromised' && isCertain && !isFresh;
  if (isUntimely) {
    metrics.count('scopemesh_events_total', { provider, result: 'untimely' });
    logger.warn(
      { provider, clientId, eventId: cause.eventId, at },
      'a shared signal says that a client is compromised, and is dated too far from now to close it: rotate its secret, or disable it',
    );
  }
  // It may be a replay, and a person may have released the client since: what came by the lost secret ends all the same.
  const kind = isUntimely ? 'session-revoked' : said;
  // Signed words about this client: what it then lacks was taken from it on purpose.
  const isEvident = (meaning.client !== undefined || meaning.isRead === true) && isCertain && isFresh;
  const evidence = isEvident ? { evidence: [{ provider, clients: [clientId] }] } : {};
  const isOrdered = isCertain && kind !== 'read' && (isFresh || kind === 'session-revoked');
  return {
    triggers: [{ key: clientKey(provider, clientId), cause, urgent: true, ...evidence }],
    orders: isOrdered ? [{ kind, provider, clientId, at, cause }] : [],
  };
}

function toProof(state: unknown, { states }: SetContext): Told {
  // The transmitter may verify its stream by itself, and then without a state.
  if (state === undefined || states === undefined) return NOTHING;
  if (typeof state !== 'string' || !states.isOurs(state)) {
    throw new InvalidSet('invalid_state', 'no verification was asked for with this state');
  }
  return { ...NOTHING, proofId: verificationEventId(state) };
}

function tellOfStream(said: unknown, cause: Cause, { provider, logger }: SetContext): Told {
  const status = typeof said === 'string' ? said.slice(0, 64) : 'unknown';
  logger.warn({ provider, status }, 'the transmitter changed its stream of shared signals');
  // What it did not send meanwhile, it may never send.
  return { triggers: [fullRead(provider, cause)], orders: [] };
}

/**
 * Where nobody knows who it was: everybody's groups, and the clients if it may have been one. Of a session alone there is
 * nothing to read, and a busy transmitter would have the directory read without end.
 */
function readOfAll({ client }: Meaning, provider: string, cause: Cause): Trigger {
  return client === undefined
    ? { key: providerKey(provider), cause, urgent: true, members: true }
    : fullRead(provider, cause);
}

function fullRead(provider: string, cause: Cause): Trigger {
  return { key: providerKey(provider), cause, urgent: true, fullRead: true };
}

/**
 * In milliseconds, the last instant that a time can mean: most transmitters count whole seconds, and what was issued
 * within that second, before the event, would otherwise outlive it.
 */
function endOf(seconds: number): number {
  return Number.isInteger(seconds) ? (seconds + 1) * 1000 : Math.ceil(seconds * 1000);
}

function toSeconds(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value < 253_402_300_799 ? value : undefined;
}

function distinct<T>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
