import type { Principal } from '../model/cause.js';
import { definedFields } from '../model/defined-fields.js';
import { rejectedText } from '../plan/guards/approval.js';
import { clientSubject } from '../plan/plan.js';
import type { ClientId } from '../plan/world.js';
import { type RulingResult, ruleOnHold } from './approvals.js';
import { approveBreakGlass, endBreakGlass } from './break-glass.js';
import type { OperatorDeps } from './deps.js';
import { countApproval, forgetFirstApproval, sameText } from './first-approvals.js';
import { decideRelease, quarantinedBy, quarantineOf } from './quarantines.js';

export type RulingVerdict = 'approve' | 'reject';

/** Decisions of people about holds, quarantines and break-glass grants. */
export interface Rulings {
  /**
   * By the ID of a `held` decision, of the decision about a quarantine, or of a break-glass grant. `override`: an approval
   * also releases what a person rejected.
   */
  onHold(decisionId: string, verdict: RulingVerdict, by: Principal, override: boolean): Promise<RulingResult>;
  /** Lets the job of a client end its quarantine; `unknown` if it is not in one. */
  release(client: ClientId, by: Principal): Promise<ReleaseResult>;
}

export type ReleaseResult = Extract<RulingResult, { kind: 'ruled' | 'first' | 'refused' | 'unknown' }>;

/** A hold or a quarantine that a person has decided on. */
export interface Ruled {
  readonly id: string;
  readonly subject: string;
  /** The approval is recorded, and another person must approve too. */
  readonly needsSecond?: true;
  /** Why the approval has no effect yet. */
  readonly waits?: string;
}

/** A recorded ruling, or why it is not recorded, as the API and commands show it. */
export function rulingAnswer(
  id: string,
  result: RulingResult,
  verdict: RulingVerdict,
): Ruled | { readonly error: string; readonly detail?: string } {
  switch (result.kind) {
    case 'ruled':
      return { id, subject: result.hold.subject, ...definedFields({ waits: result.waits }) };
    case 'first':
      return { id, subject: result.hold.subject, needsSecond: true };
    case 'refused':
      return { error: result.why };
    case 'unknown':
      return { error: 'no held change has this ID; the hold may have ended' };
    case 'unsuitable':
      return {
        error: `this change is held as ${result.hold.reason}, which a person cannot ${verdict}`,
        detail: result.hold.detail ?? '',
      };
    case 'rejected':
      return {
        error: rejectedText(result.rejection),
        detail: 'to approve it anyway, send "override": true (scopemesh approve --override)',
      };
  }
}

/** A quarantine, as commands name it. */
export function quarantineSubject({ provider, clientId }: ClientId): string {
  return `quarantine of ${provider}/${clientId}`;
}

type Deps = OperatorDeps;

/** `queue`: of the process that reconciles, this one or another. */
export function createRulings(deps: Deps): Rulings {
  return {
    async onHold(decisionId, verdict, by, override) {
      const isApproved = verdict === 'approve';
      const result = await ruleOnHold(decisionId, isApproved ? 'approved' : 'rejected', by, deps, override);
      if (result.kind === 'unsuitable' && isApproved && result.hold.client !== undefined) {
        const released = await release(result.hold.client, by, deps);
        return released.kind === 'unknown' ? result : released;
      }
      if (result.kind !== 'unknown') return result;
      const client = isApproved ? await quarantinedBy(decisionId, deps) : undefined;
      if (client !== undefined) return release(client, by, deps);
      return ruleOnBreakGlass(decisionId, verdict, by, deps);
    },
    release: (client, by) => release(client, by, deps),
  };
}

async function release(client: ClientId, by: Principal, deps: Deps): Promise<ReleaseResult> {
  const of = await quarantineOf(client, deps);
  if (of === undefined) return { kind: 'unknown' };
  const subject = clientSubject(client);
  const approved = { subject, of, resource: { kind: 'client' as const, name: client.clientId } };
  const approval = await countApproval(approved, by, deps);
  const hold = { subject: quarantineSubject(client) };
  if (approval.kind === 'first') return { kind: 'first', hold };
  if (approval.kind === 'same') return { kind: 'refused', why: sameText(approval.by) };
  await forgetFirstApproval(subject, deps);
  return (await decideRelease(client, by, deps)) ? { kind: 'ruled', hold } : { kind: 'unknown' };
}

async function ruleOnBreakGlass(
  id: string,
  verdict: RulingVerdict,
  by: Principal,
  deps: Deps,
): Promise<RulingResult> {
  const result =
    verdict === 'approve'
      ? await approveBreakGlass(id, by, deps)
      : await endBreakGlass(id, by.comment ?? 'rejected', by, deps);
  if (result.kind === 'done') return { kind: 'ruled', hold: { subject: `break-glass/${id}` } };
  return result.kind === 'unknown' ? { kind: 'unknown' } : { kind: 'refused', why: result.why };
}
