export const CAUSE_KINDS = [
  'webhook',
  'poll',
  'full-read',
  'consul-watch',
  'resync',
  'fan-out',
  'order',
  'command',
  'config',
  'retry',
  'takeover',
] as const;
export type CauseKind = (typeof CAUSE_KINDS)[number];

/** Who caused a change: at the identity provider, if the provider reports it, or by a command. */
export interface Principal {
  readonly id: string;
  readonly ip?: string;
  /** What a principal says of itself. Nothing proves it. */
  readonly note?: string;
  /** What the person wrote about this one act. Every decision that names the person repeats it. */
  readonly comment?: string;
}

const LOCAL = 'local';
/** A person of an identity provider: `oidc:<provider>/<sub>`. */
const SIGNED_IN = 'oidc:';

/**
 * A person with the token file, or with the state itself. The name that a command reports is a note: whoever reads the file
 * can send any name, so all of them count as one person. No name ends the brackets around it, or looks like another.
 */
export function localPerson(note: string): Principal {
  return { id: LOCAL, note: note.replace(/[()\p{C}]/gu, '_') };
}

/** The principal of one act, with what the person wrote about it. */
export function commenting(principal: Principal, comment: string | undefined): Principal {
  return comment === undefined ? principal : { ...principal, comment };
}

/** As texts and views show a principal. */
export function principalText({ id, note }: Principal): string {
  return note === undefined ? id : `${id} (${note})`;
}

/** The reverse of `principalText`. */
export function parsePrincipalText(text: string): Principal {
  const note = /^local \((.*)\)$/s.exec(text)?.[1];
  if (note !== undefined) return localPerson(note);
  const [, id, names] = /^(oidc:.*) \(([^()]*)\)$/s.exec(text) ?? [];
  return id === undefined || names === undefined ? { id: text } : { id, note: names };
}

/**
 * Whether two principals may be one person: all local ones are, and one name at two places counts as one person, such as
 * `token:ana` and a local Ana. Nothing proves the name of a local one, so it may be each person who signed in.
 */
export function isSamePerson(a: Principal, b: Principal): boolean {
  if (a.id === b.id) return true;
  const isSignedIn = ({ id }: Principal) => id.startsWith(SIGNED_IN);
  if ((a.id === LOCAL && isSignedIn(b)) || (b.id === LOCAL && isSignedIn(a))) return true;
  // Who signed in without a name may have any.
  const isNameless = (one: Principal) => isSignedIn(one) && one.note === undefined;
  const isToken = ({ id }: Principal) => id.startsWith('token:');
  if ((isNameless(a) && isToken(b)) || (isNameless(b) && isToken(a))) return true;
  const names = namesOf(a);
  return namesOf(b).some((name) => names.includes(name));
}

/** Who signed in has the name that the identity provider gives, and in `note` others, with commas between them. */
function namesOf({ id, note }: Principal): readonly string[] {
  const own = id.slice(id.indexOf(':') + 1);
  const all = id.startsWith(SIGNED_IN)
    ? [own.slice(own.indexOf('/') + 1), ...(note ?? '').split(',')]
    : [note ?? own];
  return all
    .flatMap((name) => [name, name.replace(/@.*/s, '')])
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
}

/** Who holds a token of `http.tokens`. */
export function tokenHolder(name: string): Principal {
  return { id: `token:${name}` };
}

/** Why a key was processed. The decision contains it. */
export interface Cause {
  readonly kind: CauseKind;
  readonly eventId?: string;
  /** ISO 8601 instant at which scopemesh first saw the event. */
  readonly receivedAt: string;
  readonly principal?: Principal;
  /** The trace of the request that delivered the event (W3C Trace Context, version 00). */
  readonly traceparent?: string;
}

/** Why a person acts: one line, which decisions and holds repeat. */
export const PERSONS_REASON = /^\P{Cc}{1,500}$/u;
