import type { RevocationOrder } from '../../model/order.js';

/** What an event means for whom it is about. */
export interface Meaning {
  /** Sessions and tokens from before the event are void. */
  readonly endsSessions?: boolean;
  /** Which groups a person is in may have changed. */
  readonly isRead?: boolean;
  /** What a client has become, or that it is to be read, where the event is about one. */
  readonly client?: RevocationOrder['kind'] | 'read';
}

type Said = Readonly<Record<string, unknown>>;

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/';
/** Of the drafts before the final specification. */
const SSE = 'https://schemas.openid.net/secevent/sse/event-type/';

const NOTHING: Meaning = {};
const ENDS: Meaning = { endsSessions: true };

/**
 * Every type that means something here, as the table of docs/providers/ssf.md tells it: CAEP 1.0, section 3, and RISC
 * 1.0, section 2. What a transmitter left out, or said in words that are not the specification's, counts as the graver
 * case.
 */
const MEANINGS: ReadonlyMap<string, (said: Said) => Meaning> = new Map<string, (said: Said) => Meaning>([
  [`${CAEP}session-revoked`, () => ENDS],
  // A login took groups and scopes out of the claims as they were.
  [`${CAEP}token-claims-change`, () => ({ endsSessions: true, isRead: true })],
  [
    `${CAEP}credential-change`,
    // A client's new secret is read and ends nothing: it is rotated while it works.
    ({ change_type }) => ({ endsSessions: change_type !== 'create', client: 'read' }),
  ],
  [
    `${CAEP}assurance-level-change`,
    ({ change_direction }) => (change_direction === 'increase' ? NOTHING : ENDS),
  ],
  [
    `${CAEP}device-compliance-change`,
    ({ current_status }) => (current_status === 'compliant' ? NOTHING : ENDS),
  ],
  [
    `${CAEP}risk-level-change`,
    ({ current_level }) => (current_level === 'LOW' || current_level === 'MEDIUM' ? NOTHING : ENDS),
  ],
  [`${RISC}account-disabled`, () => ({ endsSessions: true, isRead: true, client: 'client-disabled' })],
  [`${RISC}account-purged`, () => ({ endsSessions: true, isRead: true, client: 'client-deleted' })],
  [`${RISC}account-enabled`, () => ({ isRead: true, client: 'read' })],
  [`${RISC}account-credential-change-required`, () => ENDS],
  [`${RISC}credential-compromise`, () => ({ endsSessions: true, client: 'secret-compromised' })],
  [`${RISC}sessions-revoked`, () => ENDS],
]);

/** Undefined for a type that means nothing here. */
export function meaningOf(type: string, said: Said): Meaning | undefined {
  return MEANINGS.get(type)?.(said);
}

/** What a stream is asked for: each type that means something. */
export const EVENTS_REQUESTED: readonly string[] = [...MEANINGS.keys()].sort();

const VERIFICATION: ReadonlySet<string> = new Set([
  `${SSF}verification`,
  `${SSE}verification`,
  `${RISC}verification`,
]);
const STREAM_UPDATED: ReadonlySet<string> = new Set([`${SSF}stream-updated`, `${SSE}stream-updated`]);

/** SSF 1.0, section 8.1.4.1. */
export function isVerification(type: string): boolean {
  return VERIFICATION.has(type);
}

/** SSF 1.0, section 8.1.5. */
export function isStreamUpdated(type: string): boolean {
  return STREAM_UPDATED.has(type);
}
