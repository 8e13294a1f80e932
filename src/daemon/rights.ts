import { localPerson, type Principal, tokenHolder } from '../model/cause.js';

/** What a person of the console may do. No role contains another; a person may have several. */
export const PERSONS_ROLES = ['viewer', 'approver', 'operator'] as const;
export type PersonsRole = (typeof PERSONS_ROLES)[number];

/** A person with a session of the console. */
export interface Person {
  readonly principal: Principal;
  readonly roles: readonly PersonsRole[];
  /** The identity provider where the person signed in; undefined if by the token file. */
  readonly provider?: string;
  /** The sign-in at the identity provider is too old for a change. */
  readonly isStale?: boolean;
  /** Milliseconds since the epoch: when the session ends unless it is used. */
  readonly endsAt: number;
}

/** Who sends a request, as far as the request proves it. */
export type Caller =
  /** Knows the token file in the state directory, and is on this machine. */
  | { readonly kind: 'local' }
  /** Knows a token of `http.tokens`. */
  | { readonly kind: 'holder'; readonly name: string; readonly mayApprove: boolean }
  | { readonly kind: 'person'; readonly person: Person };

/** `user`: the name that a command with the token file reports. It is a note, and changes nothing of who it is. */
export function principalOf(caller: Caller, user = ''): Principal {
  switch (caller.kind) {
    case 'local':
      return localPerson(user);
    case 'holder':
      return tokenHolder(caller.name);
    case 'person':
      return caller.person.principal;
  }
}

/**
 * Which roles may do what: one is enough. Every route that acts is added with one of these actions, and `GET /api/session`
 * says of each whether its caller may do it.
 */
const ROLES_OF = {
  read: PERSONS_ROLES,
  approve: ['approver'],
  reject: ['approver'],
  release: ['approver'],
  quarantine: ['operator'],
  deny: ['operator'],
  // The end of a deny opens access, and may need two persons.
  endDeny: ['operator', 'approver'],
  freeze: ['operator'],
  unfreeze: ['operator'],
  askBreakGlass: ['operator'],
  endBreakGlass: ['operator'],
  adopt: ['operator'],
  retryParked: ['operator'],
  dropParked: ['operator'],
  skipWebhook: ['operator'],
} as const satisfies Readonly<Record<string, readonly PersonsRole[]>>;

export type Action = keyof typeof ROLES_OF;
const ACTIONS = Object.keys(ROLES_OF).filter((key): key is Action => Object.hasOwn(ROLES_OF, key));

/** True, or why this caller may not do it. */
export function rightOf(caller: Caller, action: Action): true | string {
  switch (caller.kind) {
    case 'local':
      return true;
    case 'holder':
      return caller.mayApprove || action === 'read'
        ? true
        : `the token of ${caller.name} only reads; to change anything with it, set approve: on in its entry of http.tokens`;
    case 'person': {
      const roles: readonly PersonsRole[] = ROLES_OF[action];
      if (!roles.some((role) => caller.person.roles.includes(role)))
        return `this needs the role ${roles.join(' or ')}, and you do not have it`;
      return action !== 'read' && caller.person.isStale === true
        ? 'you signed in too long ago for a change; sign in again'
        : true;
    }
  }
}

/** For each action true, or why not. */
export function rightsOf(caller: Caller): Readonly<Record<string, true | string>> {
  return Object.fromEntries(ACTIONS.map((action) => [action, rightOf(caller, action)]));
}
