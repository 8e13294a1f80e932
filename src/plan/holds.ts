import type { HoldReason, Resource } from '../model/decision.js';
import type { Hold } from './plan.js';

/** One key per hold of a subject. */
export function holdKey(hold: { readonly subject: string; readonly reason: HoldReason }): string {
  return `${hold.subject} ${hold.reason}`;
}

/** What makes a hold another one than was told before. */
export function fingerprintOf(hold: Hold): string {
  return JSON.stringify([
    hold.action,
    hold.scopes,
    hold.reason === 'ModeForbids' || hold.reason === 'RevocationLimit' ? hold.after : null,
    ...(NAMED_IN_DETAIL.has(hold.reason) ? [hold.detail] : []),
    ...(hold.leaves === undefined ? [] : [hold.leaves]),
  ]);
}

/** Of which only the detail says which service or person they are about. */
const NAMED_IN_DETAIL: ReadonlySet<HoldReason> = new Set([
  'InvalidServiceName',
  'ProtectedDestination',
  'InvalidClientId',
]);

/** Beyond these the rest is counted. */
const MOST_DETAILS = 5;

/** One hold for each subject and reason, naming every scope it is about and what each was held for. */
export function mergeHolds(holds: readonly Hold[]): readonly Hold[] {
  const alike = new Map<string, Hold[]>();
  for (const hold of holds) alike.set(holdKey(hold), [...(alike.get(holdKey(hold)) ?? []), hold]);
  return [...alike.values()].flatMap(([first, ...others]) => {
    if (first === undefined || others.length === 0) return first ?? [];
    const all = [first, ...others];
    const details = [...new Set(all.map(({ detail }) => detail))].toSorted();
    const shown = details.slice(0, MOST_DETAILS);
    const more = details.length - shown.length;
    return {
      ...first,
      detail: [...shown, ...(more === 0 ? [] : [`and ${more} more`])].join('; '),
      scopes: [...new Set(all.flatMap(({ scopes }) => scopes))].toSorted(),
    };
  });
}

/** Kinds whose subjects are a kind and names. */
const NAMED_KINDS = [
  'acl-policy',
  'acl-role',
  'acl-auth-method',
  'acl-binding-rule',
  'acl-token',
  'jwt-provider',
] as const;

/** The hold as its end is told: what is known of it is its subject. */
export function endedHold({ subject, reason }: Pick<Hold, 'subject' | 'reason'>): Hold {
  return {
    subject,
    reason,
    detail: 'the reason for holding it is gone',
    action: 'none',
    scopes: [],
    resource: resourceOf(subject),
  };
}

function resourceOf(subject: string): Resource {
  const [kind, ...rest] = subject.split('/').map(decodeURIComponent);
  if (kind === 'claim' || kind === 'client')
    return { kind, name: (kind === 'claim' ? rest[2] : rest[1]) ?? '' };
  const namedKind = NAMED_KINDS.find((each) => each === kind);
  if (namedKind !== undefined) return { kind: namedKind, name: rest.join('/') };
  const [partition, namespace, destination, source] = rest;
  return {
    kind: 'intention',
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(partition === undefined ? {} : { partition }),
  };
}
