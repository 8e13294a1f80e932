/**
 * Whom an event is about, as far as scopemesh can tell: a person or a client. Both members are absent where it names its
 * subject in a form that neither tokens nor clients have (an address, a telephone number, a session, a device alone).
 */
export interface Whom {
  /** The `sub` of a person's tokens. */
  readonly subject?: string;
  /** `isCertain`: the issuer of the tokens is named with it, so that it can be no other's. */
  readonly client?: { readonly clientId: string; readonly isCertain: boolean };
}

/** Longer than any `sub` (OpenID Connect Core, section 2: 255 ASCII characters). */
const LONGEST = 255;
const AROUND_AN_APPLICATION: ReadonlySet<string> = new Set(['format', 'application', 'tenant', 'org_unit']);
/** Deeper nesting than aliases inside of a complex subject there is none. */
const MOST_ALIASES = 32;

/**
 * Reads a subject identifier (RFC 9493, SSF 1.0 section 3): `iss_sub` whose issuer is that of the provider's tokens is
 * certain. A complex subject is what its members say together: a session or a device of a person is taken as all of
 * that person's, which closes more than was told and never less. `issuer` is compared as it stands.
 */
export function toWhom(identifier: unknown, issuer: string): Whom {
  if (!isRecord(identifier)) return {};
  switch (formatOf(identifier)) {
    case 'iss_sub': {
      const subject = identifier.iss === issuer ? name(identifier.sub) : undefined;
      return subject === undefined ? {} : { subject };
    }
    case 'aliases': {
      const aliases = Array.isArray(identifier.identifiers) ? identifier.identifiers : [];
      const found = aliases.slice(0, MOST_ALIASES).map((alias) => toSubject(alias, issuer));
      const subject = found.find((each) => each !== undefined);
      return subject === undefined ? {} : { subject };
    }
    case 'complex': {
      const user = innermostUser(identifier);
      const subject = user === undefined ? undefined : toWhom(user, issuer).subject;
      if (subject !== undefined) return { subject };
      // Beside somebody or something else the application says only where, and is not what the event is about.
      const isAlone = Object.keys(identifier).every((member) => AROUND_AN_APPLICATION.has(member));
      const client = isAlone ? toClient(identifier.application, issuer) : undefined;
      return client === undefined ? {} : { client };
    }
    default:
      return {};
  }
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

function toSubject(identifier: unknown, issuer: string): string | undefined {
  return isRecord(identifier) && (identifier.format ?? identifier.subject_type) === 'iss_sub'
    ? toWhom(identifier, issuer).subject
    : undefined;
}

/** The specification leaves open how an application is named: as the `sub` of its own tokens, or by an id alone. */
function toClient(application: unknown, issuer: string): Whom['client'] {
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
    value.length <= LONGEST &&
    !/\p{Cc}|\p{Surrogate}/u.test(value)
    ? value
    : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
