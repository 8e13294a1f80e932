import { causeOfChange } from '../../apply/decision-drafts.js';
import type { Cause } from '../../model/cause.js';
import type { DraftDecision } from '../../model/decision.js';
import type { Stamp } from '../../model/plain-decision.js';
import type { Residual } from '../../model/residual.js';
import type { AclChange } from '../plan/acl-change.js';

/** A draft of an ACL write, to be recorded before it. */
export function aclDraft(
  change: AclChange,
  of: Cause,
  stamp: Stamp,
  residual: Residual | undefined,
): DraftDecision {
  const cause = causeOfChange(change, of, stamp);
  const principal = change.approvedBy ?? cause.principal;
  return {
    id: stamp.newId(),
    type: `dev.scopemesh.${change.resource.kind}.${change.verb}`,
    subject: change.subject,
    source: stamp.source,
    action: change.action,
    reason: change.reason,
    resource: change.resource,
    ...(change.client === undefined ? {} : { client: change.client }),
    ...(change.person === undefined ? {} : { person: change.person }),
    scopes: change.scopes,
    ...(principal === undefined ? {} : { principal }),
    cause,
    before: change.step.do === 'end-tokens' ? affectedTokens(change.step) : (change.before ?? null),
    after: change.after ?? null,
    ...(residual === undefined ? {} : { residual }),
    mappingRevision: stamp.mappingRevision,
    // ACL objects have no compare-and-set: recovery compares their content.
    expectedIndex: 0,
    // A late request to end tokens does no harm.
    ...(change.step.do === 'end-tokens' ? {} : { recordedAt: stamp.time }),
  };
}

/** The tokens of a step, in the draft's `before`, so that recovery can end them. */
interface AffectedTokens {
  readonly authMethod?: string;
  readonly role?: string;
  readonly longerThanSeconds?: number;
}

function affectedTokens(step: Extract<AclChange['step'], { do: 'end-tokens' }>): AffectedTokens {
  const { by, longerThanSeconds } = step;
  return { ...by, ...(longerThanSeconds === undefined ? {} : { longerThanSeconds }) };
}

export function parseAffectedTokens(value: unknown): AffectedTokens | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { authMethod, role, longerThanSeconds }: Partial<Record<string, unknown>> = { ...value };
  if (typeof authMethod !== 'string' && typeof role !== 'string') return undefined;
  return {
    ...(typeof authMethod === 'string' ? { authMethod } : {}),
    ...(typeof role === 'string' ? { role } : {}),
    ...(typeof longerThanSeconds === 'number' ? { longerThanSeconds } : {}),
  };
}

export function isAclSubject(subject: string): boolean {
  return subject.startsWith('acl-');
}
