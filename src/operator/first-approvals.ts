import { z } from 'zod';
import { isoInstant } from '../clock.js';
import { isSamePerson, type Principal, principalText } from '../model/cause.js';
import type { Resource } from '../model/decision.js';
import { plainDecision } from '../model/plain-decision.js';
import { safeParse } from '../safe-parse.js';
import { commandOf, type OperatorDeps, stampOf } from './deps.js';
import { StoredPrincipal } from './stored-principal.js';

export type ApprovalDeps = Pick<
  OperatorDeps,
  'keyValues' | 'journal' | 'clock' | 'source' | 'world' | 'newId' | 'onSettled' | 'rulingTurns'
>;

export type Approval =
  /** Enough persons have approved it. */
  | { readonly kind: 'enough' }
  /** It is recorded, and another person must approve too. */
  | { readonly kind: 'first' }
  /** The same person approved it before. */
  | { readonly kind: 'same'; readonly by: Principal };

interface Approved {
  readonly key: string;
  readonly subject: string;
  readonly of: string;
  readonly resource: Resource;
}

const Stored = z.object({ of: z.string(), by: StoredPrincipal, at: z.string() });
export type FirstApproval = Omit<z.infer<typeof Stored>, 'of'>;

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
  // Of two at once in this process one is the first, with one decision.
  return deps.rulingTurns.run(approved.subject, () => count(approved, by, deps));
}

async function count(approved: Approved, by: Principal, deps: ApprovalDeps): Promise<Approval> {
  const { key, subject, of, resource } = approved;
  const text = await deps.keyValues.get(approvalName(subject));
  const stored = parse(text);
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
  // First, so that no approval counts without its decision.
  await deps.journal.settle(key, [decision]);
  const isFirst = await deps.keyValues.replace(
    approvalName(subject),
    text,
    JSON.stringify({ of, by, at: isoInstant(deps.clock) }),
  );
  deps.onSettled();
  // Another process recorded an approval in between.
  return isFirst ? { kind: 'first' } : count(approved, by, deps);
}

/** Who approved first, of what still needs a second person; undefined if nobody did. */
export async function firstApprovalOf(
  { subject, of }: Pick<Approved, 'subject' | 'of'>,
  { keyValues, world }: Pick<OperatorDeps, 'keyValues' | 'world'>,
): Promise<FirstApproval | undefined> {
  if (world.mapping.approvers === 1) return undefined;
  const stored = parse(await keyValues.get(approvalName(subject)));
  return stored?.of === of ? stored : undefined;
}

function parse(text: string | undefined): z.infer<typeof Stored> | undefined {
  return text === undefined || text === '' ? undefined : safeParse(Stored, JSON.parse(text)).data;
}

export async function forgetFirstApproval(
  subject: string,
  { keyValues }: Pick<OperatorDeps, 'keyValues'>,
): Promise<void> {
  await keyValues.set(approvalName(subject), '');
}

export function sameText(by: Principal): string {
  return `${principalText(by)} approved this already, and guards.approvers is 2: another person must approve it too`;
}

function approvalName(subject: string): string {
  return `first-approval/${subject}`;
}
