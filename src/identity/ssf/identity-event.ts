import type { Cause } from '../../model/cause.js';
import { clientKey } from '../../model/key.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Trigger } from '../../model/trigger.js';
import {
  clientEvidence,
  clientOrder,
  type Effect,
  fullRead,
  membersRead,
  NO_EFFECT,
  onlyOrder,
  onlyTriggers,
  sessionOrder,
} from '../effects.js';
import type { EventOrigin, IdentityEvent } from '../source.js';
import { isStreamUpdated, isVerification, type Meaning, meaningOf } from './meaning.js';
import type { SsfOptions } from './options.js';
import { InvalidSet } from './refusal.js';
import type { SecurityEventSet } from './set.js';
import { type VerificationStates, verificationEventId } from './states.js';
import { type EventSubject, parseSubject } from './subject.js';

export interface SetContext extends Pick<SsfOptions, 'provider' | 'issuer' | 'logger' | 'metrics'> {
  /** Absent if the stream is configured manually, because then nothing is verified. */
  readonly states?: VerificationStates;
  /** Called for each event about the stream itself. */
  readonly onStreamUpdated?: () => void;
}

const DAY_MS = 24 * 3600_000;
/** Event IDs are remembered for longer. A set that is older, or further in the future, may be a replay. */
const TIMELY = { behindMs: 6 * DAY_MS, aheadMs: DAY_MS };
/** Synchronized clocks do not differ by more than this. */
const MAX_SKEW_MS = 300_000;

/**
 * What a set means for scopemesh. Its signature is proof, so it brings orders. An order that ends sessions may be replayed at
 * any time, because it states its time. An order about a client counts for six days. A set from the future counts too: the
 * clock here may be wrong, and a transmitter need not send a refused set again (RFC 8935, section 2). Throws InvalidSet for a
 * verification state that was not requested.
 */
export function toIdentityEvent(
  set: SecurityEventSet,
  origin: EventOrigin,
  context: SetContext,
): IdentityEvent {
  const id = `set/${set.jti}`;
  const cause: Cause = { kind: origin.kind, eventId: id, receivedAt: origin.receivedAt };
  const receivedAtMs = Date.parse(origin.receivedAt);
  const issuedAtMs = set.issuedAt * 1000;
  const aheadMs = issuedAtMs - receivedAtMs;
  if (aheadMs > MAX_SKEW_MS) {
    const { provider, logger } = context;
    const fields = { provider, eventId: id, aheadSeconds: Math.round(aheadMs / 1000) };
    logger.warn(fields, 'the time of a shared signal is in the future; it counts, but compare the clocks');
  }
  // If our clock is slow, its time alone would spare what was issued just before the event.
  const latestMs = Math.max(receivedAtMs, issuedAtMs);
  const clamp = (atMs: number) => new Date(Math.min(atMs, latestMs)).toISOString();
  const isTimely = -aheadMs < TIMELY.behindMs && aheadMs <= TIMELY.aheadMs;
  const parts = [...set.events].map(([type, fields]): SetEffect => {
    if (isVerification(type)) return verificationEffect(fields.state, context);
    if (isStreamUpdated(type)) return streamUpdatedEffect(fields.status, cause, context);
    const meaning = meaningOf(type, fields);
    if (meaning === undefined) return NO_EFFECT;
    const at = clamp(endOf(toSeconds(fields.event_timestamp) ?? set.happenedAt ?? set.issuedAt));
    const subject = parseSubject(set.subject ?? fields.subject, context.issuer);
    return effectOf(meaning, subject, { type, cause, at, isTimely }, context);
  });
  const [proof] = parts.flatMap(({ proofId }) => proofId ?? []);
  return {
    id: proof ?? id,
    occurredAt: clamp((set.happenedAt ?? set.issuedAt) * 1000),
    // Several types in one set name the same event (SSF 1.0, section 4.2.1), so they have the same effects.
    triggers: distinct(parts.flatMap(({ triggers }) => triggers)),
    orders: distinct(parts.flatMap(({ orders }) => orders)),
    ...(proof === undefined ? {} : { isProof: true }),
  };
}

/** One event of a set. */
interface SetEvent {
  readonly type: string;
  readonly cause: Cause;
  /** ISO 8601; not later than the set was issued or received. */
  readonly at: string;
  readonly isTimely: boolean;
}

interface SetEffect extends Effect {
  /** The event answers a verification request, under this ID. */
  readonly proofId?: string;
}

function effectOf(
  meaning: Meaning,
  { subject, client }: EventSubject,
  event: SetEvent,
  context: SetContext,
): SetEffect {
  const { provider, logger, metrics } = context;
  if (client !== undefined) return clientEffect(meaning, client, event, context);
  if (subject !== undefined) return personEffect(meaning, subject, event, provider);
  const { type, cause } = event;
  if (meaning.endsSessions === true) {
    metrics.count('scopemesh_events_total', { provider, result: 'unresolved' });
    logger.warn(
      { provider, eventId: cause.eventId, type },
      'the subject of a shared signal is unknown: it names neither the sub of a token nor a client',
    );
  }
  return meaning.isRead === true ? onlyTriggers(readOfAll(meaning, provider, cause)) : NO_EFFECT;
}

function personEffect(
  meaning: Meaning,
  subject: string,
  { cause, at, isTimely }: SetEvent,
  provider: string,
): Effect {
  const ended =
    meaning.endsSessions === true ? onlyOrder(sessionOrder(provider, subject, at, cause)) : NO_EFFECT;
  if (meaning.isRead !== true) return ended;
  // The signal itself says that the person may have lost groups.
  const evidence = isTimely ? [{ provider, people: [subject] }] : [];
  return { ...ended, triggers: [membersRead(provider, cause, { evidence })] };
}

function clientEffect(
  meaning: Meaning,
  { clientId, isCertain }: NonNullable<EventSubject['client']>,
  { cause, at, isTimely }: SetEvent,
  { provider, logger, metrics }: SetContext,
): Effect {
  const stated = meaning.client ?? (meaning.endsSessions === true ? 'session-revoked' : undefined);
  if (stated === undefined) return NO_EFFECT;
  const isUntimely = stated === 'secret-compromised' && isCertain && !isTimely;
  if (isUntimely) {
    metrics.count('scopemesh_events_total', { provider, result: 'untimely' });
    logger.warn(
      { provider, clientId, eventId: cause.eventId, at },
      'a shared signal says that a client is compromised, but its time is too far from now to quarantine the client: rotate its secret, or disable it',
    );
  }
  // It may be a replay, and somebody may have released the client since. What the lost secret obtained ends anyway.
  const kind: RevocationOrder['kind'] | 'read' = isUntimely ? 'session-revoked' : stated;
  // The signed event is about this client, so what the client then lacks was removed on purpose.
  const isEvident = (meaning.client !== undefined || meaning.isRead === true) && isCertain && isTimely;
  const evidence = isEvident ? { evidence: [clientEvidence(provider, { clientId })] } : {};
  const isOrdered = isCertain && kind !== 'read' && (isTimely || kind === 'session-revoked');
  return {
    triggers: [{ key: clientKey(provider, clientId), cause, urgent: true, ...evidence }],
    orders: isOrdered ? [clientOrder(kind, provider, { clientId }, at, cause)] : [],
  };
}

function verificationEffect(state: unknown, { states }: SetContext): SetEffect {
  // A transmitter may also verify its stream without a request, and then without a state.
  if (state === undefined || states === undefined) return NO_EFFECT;
  if (typeof state !== 'string' || !states.isOurs(state))
    throw new InvalidSet('invalid_state', 'no verification was requested with this state');
  return { ...NO_EFFECT, proofId: verificationEventId(state) };
}

/** The transmitter may never send the events of the time in which the stream was stopped. */
function streamUpdatedEffect(status: unknown, cause: Cause, context: SetContext): Effect {
  const { provider, logger, onStreamUpdated } = context;
  onStreamUpdated?.();
  const shown = typeof status === 'string' ? status.slice(0, 64) : 'unknown';
  logger.warn(
    { provider, status: shown },
    'the transmitter changed the status of its stream of shared signals',
  );
  return onlyTriggers(fullRead(provider, cause));
}

/**
 * For an unknown subject: everybody's groups, and all clients if it may have been one. The end of a session alone leads to
 * no read; otherwise a busy transmitter would cause endless reads of the directory.
 */
function readOfAll({ client }: Meaning, provider: string, cause: Cause): Trigger {
  return client === undefined ? membersRead(provider, cause) : fullRead(provider, cause);
}

/**
 * The last millisecond that a time can mean. Most transmitters count whole seconds. Otherwise what was issued in the same
 * second before the event would stay valid.
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
