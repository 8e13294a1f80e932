import { isRecord } from '../../model/is-record.js';

/**
 * The subject of an event: a person or a client. Both are absent if the event names its subject in a form that neither
 * tokens nor clients use (an address, a telephone number, only a session or a device).
 */
export interface EventSubject {
  /** The `sub` of a person's tokens. */
  readonly subject?: string | undefined;
  /** `isCertain`: the event also names the issuer of the tokens, so it cannot be a client of another issuer. */
  readonly client?: { readonly clientId: string; readonly isCertain: boolean } | undefined;
}

/** Longer than any `sub` (OpenID Connect Core, section 2: 255 ASCII characters). */
const MAX_LENGTH = 255;
const AROUND_AN_APPLICATION: ReadonlySet<string> = new Set(['format', 'application', 'tenant', 'org_unit']);
/** More aliases than a subject has. */
const MAX_ALIASES = 32;

/**
 * Parses a subject identifier (RFC 9493, SSF 1.0 section 3). `iss_sub` with the issuer of the provider's tokens is certain.
 * The members of a complex subject belong together: a session or a device of a person counts as everything of that person,
 * which closes more than the event says and never less. `issuer` is compared exactly.
 */
export function parseSubject(identifier: unknown, issuer: string): EventSubject {
  if (!isRecord(identifier)) return {};
  switch (formatOf(identifier)) {
    case 'iss_sub':
      return { subject: identifier.iss === issuer ? name(identifier.sub) : undefined };
    case 'aliases': {
      const aliases = Array.isArray(identifier.identifiers) ? identifier.identifiers : [];
      const found = aliases.slice(0, MAX_ALIASES).map((alias) => subjectOf(alias, issuer));
      return { subject: found.find((each) => each !== undefined) };
    }
    case 'complex': {
      const user = innermostUser(identifier);
      const subject = user === undefined ? undefined : parseSubject(user, issuer).subject;
      if (subject !== undefined) return { subject };
      // With other members, the application only says where it happened, and is not the subject.
      const isAlone = Object.keys(identifier).every((member) => AROUND_AN_APPLICATION.has(member));
      return { client: isAlone ? toClient(identifier.application, issuer) : undefined };
    }
    default:
      return {};
  }
}

/** The members of a complex subject (SSF 1.0, section 3.2). Each of them makes the subject narrower than its user. */
const KNOWN_MEMBERS: ReadonlySet<string> = new Set([
  'format',
  ...['user', 'device', 'session', 'application', 'tenant', 'org_unit', 'group'],
]);

/**
 * The first member of a complex subject that the transmitter calls critical and scopemesh does not know. Then the event may
 * be about something else, and must be discarded (SSF 1.0, sections 3.6 and 7.1).
 */
export function unknownCriticalMember(identifier: unknown, critical: readonly string[]): string | undefined {
  if (!isRecord(identifier) || formatOf(identifier) !== 'complex') return undefined;
  return critical.find((name) => Object.hasOwn(identifier, name) && !KNOWN_MEMBERS.has(name));
}

function formatOf({ format, subject_type: type }: Readonly<Record<string, unknown>>): string {
  // RISC as Google sends it still says subject_type and iss-sub; the older form has no format in a complex subject.
  const named = format ?? type ?? 'complex';
  return typeof named === 'string' ? named.replaceAll('-', '_') : '';
}

/** The user inside of complex subjects. A loop, because a hostile text nests thousands and would exhaust the stack. */
function innermostUser(identifier: Readonly<Record<string, unknown>>): unknown {
  let { user } = identifier;
  while (isRecord(user) && user.format !== 'complex' && formatOf(user) === 'complex') ({ user } = user);
  return isRecord(user) && user.format !== 'complex' ? user : undefined;
}

function subjectOf(identifier: unknown, issuer: string): string | undefined {
  return isRecord(identifier) && (identifier.format ?? identifier.subject_type) === 'iss_sub'
    ? parseSubject(identifier, issuer).subject
    : undefined;
}

/** The specification does not say how an application is named: as the `sub` of its own tokens, or only by an ID. */
function toClient(application: unknown, issuer: string): EventSubject['client'] {
  if (!isRecord(application)) return undefined;
  if (application.format === 'iss_sub') {
    const clientId = application.iss === issuer ? name(application.sub) : undefined;
    return clientId === undefined ? undefined : { clientId, isCertain: true };
  }
  const clientId = application.format === 'opaque' ? name(application.id) : undefined;
  return clientId === undefined ? undefined : { clientId, isCertain: false };
}

function name(value: unknown): string | undefined {
  return typeof value === 'string' &&
    value !== '' &&
    value.length <= MAX_LENGTH &&
    !/\p{Cc}|\p{Surrogate}/u.test(value)
    ? value
    : undefined;
}
