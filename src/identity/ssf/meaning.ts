import type { RevocationOrder } from '../../model/order.js';

/** The meaning of an event for its subject. */
export interface Meaning {
  /** Sessions and tokens from before the event are void. */
  readonly endsSessions?: boolean;
  /** The groups of a person may have changed. */
  readonly isRead?: boolean;
  /** If the subject is a client: the order about it, or that it must be read. */
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
 * Every type with a meaning here, as in the table of docs/providers/ssf.md: CAEP 1.0, section 3, and RISC 1.0, section 2. A
 * missing value, or one that the specification does not define, counts as the more serious case.
 */
const MEANINGS: ReadonlyMap<string, (said: Said) => Meaning> = new Map<string, (said: Said) => Meaning>([
  [`${CAEP}session-revoked`, () => ENDS],
  // A login used the old claims, with the old groups and scopes.
  [`${CAEP}token-claims-change`, () => ({ endsSessions: true, isRead: true })],
  [
    `${CAEP}credential-change`,
    // A new secret of a client is read and ends nothing: it is added while the old one still works.
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

/** Undefined for a type without a meaning here. */
export function meaningOf(type: string, said: Said): Meaning | undefined {
  return MEANINGS.get(type)?.(said);
}

/** The types that a stream requests: each type with a meaning. */
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
