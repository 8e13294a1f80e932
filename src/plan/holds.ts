import type { ChangeReason, HoldReason, Resource } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import { groupBy } from '../model/group-by.js';
import type { Hold } from './plan.js';

/** One key per hold of a subject. */
export function holdKey(hold: { readonly subject: string; readonly reason: HoldReason }): string {
  return `${hold.subject} ${hold.reason}`;
}

/** Whether a hold with this reason waits for a person. Every other hold ends when its cause is gone. */
export function isApprovable(reason: string): boolean {
  return reason === 'RevocationLimit' || reason === 'MarkUnrecorded' || reason === 'MappingDiffers';
}

/** Whether a hold with this reason delays a change that is still planned: a person approves it, or the freeze ends. */
export function isDelay(reason: HoldReason): boolean {
  return isApprovable(reason) || reason === 'Frozen';
}

/** The subjects that a quarantine holds. */
export function quarantinedIn(
  holds: Iterable<{ readonly subject: string; readonly reason: HoldReason }>,
): ReadonlySet<string> {
  return new Set(
    [...holds].flatMap(({ subject, reason }) => (reason === 'ClientQuarantined' ? [subject] : [])),
  );
}

/** Why the subjects of recorded holds open once these end: another cause may only have ended them. */
export function openingReasons(
  holds: Iterable<{
    readonly subject: string;
    readonly reason: HoldReason;
    readonly changeReason?: ChangeReason;
  }>,
): ReadonlyMap<string, ChangeReason> {
  const all = [...holds];
  const frozen = all.flatMap(({ subject, reason, changeReason }) =>
    reason === 'Frozen' && changeReason !== undefined ? [[subject, changeReason] as const] : [],
  );
  const quarantined = [...quarantinedIn(all)].map((subject) => [subject, 'QuarantineEnded'] as const);
  return new Map<string, ChangeReason>([...frozen, ...quarantined]);
}

/**
 * Which of the planned holds are recorded before the write. A quarantine closes an edge or an object before it holds it, and
 * its recorded hold gives the reason of the opening when it ends: of subjects that the write changes it is late.
 */
export function beforeWrite(
  planned: readonly Hold[],
  recorded: Iterable<{ readonly subject: string; readonly reason: HoldReason }>,
  isChanging: (subject: string) => boolean,
): { readonly early: readonly Hold[]; readonly isLate: (subject: string) => boolean } {
  const quarantined = quarantinedIn([...recorded, ...planned]);
  const isLate = (subject: string) => quarantined.has(subject) && isChanging(subject);
  const early = planned.filter(({ subject, reason }) => reason !== 'ClientQuarantined' || !isLate(subject));
  return { early, isLate };
}

/** A text that changes if a hold must be reported again. */
export function fingerprintOf(hold: Hold): string {
  return JSON.stringify([
    hold.action,
    hold.scopes,
    hold.reason === 'ModeForbids' || isApprovable(hold.reason) ? hold.after : null,
    ...(NAMED_IN_DETAIL.has(hold.reason) ? [hold.detail] : []),
    ...(hold.leaves === undefined ? [] : [hold.leaves]),
  ]);
}

/** Reasons whose service or person is named only in the detail. */
const NAMED_IN_DETAIL: ReadonlySet<HoldReason> = new Set([
  'InvalidServiceName',
  'ProtectedDestination',
  'InvalidClientId',
]);

/** The merged detail lists this many details and counts the rest. */
const MAX_DETAILS = 5;

/** One hold for each subject and reason, with all scopes and details. */
export function mergeHolds(holds: readonly Hold[]): readonly Hold[] {
  return [...groupBy(holds, holdKey).values()].flatMap(([first, ...others]) => {
    if (first === undefined || others.length === 0) return first ?? [];
    const all = [first, ...others];
    const details = [...new Set(all.map(({ detail }) => detail))].toSorted();
    const shown = details.slice(0, MAX_DETAILS);
    const more = details.length - shown.length;
    return {
      ...first,
      detail: [...shown, ...(more === 0 ? [] : [`and ${more} more`])].join('; '),
      scopes: [...new Set(all.flatMap(({ scopes }) => scopes))].toSorted(),
    };
  });
}

/** Kinds whose subject consists of the kind and names. */
const NAMED_KINDS = [
  'acl-policy',
  'acl-role',
  'acl-auth-method',
  'acl-binding-rule',
  'acl-token',
  'jwt-provider',
] as const;

/** The hold for the decision about its end. Only its subject and reason are known, and how often it came back meanwhile. */
export function endedHold({ subject, reason }: Pick<Hold, 'subject' | 'reason'>, cameBack = 0): Hold {
  return {
    subject,
    reason,
    detail:
      reason === 'ModeForbids'
        ? 'no change is planned any more that the mode forbids'
        : `the reason for holding it is gone${cameBack === 0 ? '' : `; it was gone and came back ${cameBack} times before`}`,
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
    ...definedFields({ source, destination, namespace, partition }),
  };
}
