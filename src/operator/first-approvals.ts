import { z } from 'zod';
import { isoInstant } from '../clock.js';
import { isSamePerson, type Principal, principalText } from '../model/cause.js';
import type { Resource } from '../model/decision.js';
import { plainDecision } from '../model/plain-decision.js';
import { commandOf, type OperatorDeps, stampOf } from './deps.js';
import { recordRuling, rulingsOfSubjects } from './ruling-store.js';
import { StoredPrincipal } from './stored-principal.js';

export type ApprovalDeps = Pick<
  OperatorDeps,
  'journal' | 'clock' | 'source' | 'world' | 'newId' | 'metrics' | 'onSettled' | 'rulingTurns'
>;

export type Approval =
  /** Enough persons have approved it. */
  | { readonly kind: 'enough' }
  /** It is recorded, and another person must approve too. */
  | { readonly kind: 'first' }
  /** The same person approved it before. */
  | { readonly kind: 'same'; readonly by: Principal };

interface Approved {
  readonly subject: string;
  readonly of: string;
  readonly resource: Resource;
}

const Stored = z.object({ subject: z.string(), of: z.string(), by: StoredPrincipal, at: z.string() });
export type FirstApproval = Pick<z.infer<typeof Stored>, 'by' | 'at'>;

const FIRST = rulingsOfSubjects('first-approval', Stored);

/**
 * Counts the persons who approve, for `guards.approvers`. `of` identifies what they approve: an approval of something else
 * that the subject had before does not count. The first approval has a decision.
 */
export async function countApproval(
  approved: Approved,
  by: Principal,
  deps: ApprovalDeps,
): Promise<Approval> {
  if (deps.world.mapping.approvers === 1) return { kind: 'enough' };
  // Of two at once one is the first, with one decision.
  return deps.rulingTurns.run(approved.subject, () => count(approved, by, deps));
}

async function count(
  { subject, of, resource }: Approved,
  by: Principal,
  deps: ApprovalDeps,
): Promise<Approval> {
  const stored = await FIRST.read(subject, deps);
  if (stored?.of === of)
    return isSamePerson(stored.by, by) ? { kind: 'same', by: stored.by } : { kind: 'enough' };
  const decision = plainDecision(
    {
      resource,
      verb: 'held',
      subject,
      outcome: 'observed',
      reason: 'FirstApproval',
      cause: commandOf(by, deps),
      detail: `${principalText(by)} approved this; another person must approve it too`,
    },
    stampOf(deps),
  );
  await recordRuling(FIRST, { subject, of, by, at: isoInstant(deps.clock) }, { decision }, deps);
  return { kind: 'first' };
}

/** Who approved first, of what still needs a second person; undefined if nobody did. */
export async function firstApprovalOf(
  { subject, of }: Pick<Approved, 'subject' | 'of'>,
  { journal, world }: Pick<OperatorDeps, 'journal' | 'world'>,
): Promise<FirstApproval | undefined> {
  if (world.mapping.approvers === 1) return undefined;
  const stored = await FIRST.read(subject, { journal, world });
  return stored?.of === of ? stored : undefined;
}

export const forgetFirstApproval = FIRST.forget;

export function sameText(by: Principal): string {
  return `${principalText(by)} approved this already, and guards.approvers is 2: another person must approve it too`;
}
