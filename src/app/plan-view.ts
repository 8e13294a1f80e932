import type { AclChange } from '../acl/plan/acl-change.js';
import { viewOf } from '../apply/decision-drafts.js';
import { toPlainValue } from '../decisions/plain-value.js';
import type { HoldReason, WriteVerb } from '../model/decision.js';
import type { Mapping } from '../model/rule.js';
import type { ClaimChange } from '../plan/claim-changes.js';
import { holdKey } from '../plan/holds.js';
import { jwtProviderFacts, jwtProviderSubject } from '../plan/jwt-provider-change.js';
import { policyOf } from '../plan/mode.js';
import { type Change, claimFacts, type Hold } from '../plan/plan.js';
import type { JwtProviderChange } from '../plan/plan-jwt-providers.js';
import type { FleetPlan } from '../reconcile/fleet-plan.js';

/** A hold under the ID by which `approve` and `reject` name it. */
export interface KnownHold {
  readonly reason: HoldReason;
  readonly decisionId: string;
  readonly rejectedBy: string | null;
  readonly since: string;
  readonly detail?: string | undefined;
}

/** By `holdKey`. */
export type KnownHolds = ReadonlyMap<string, KnownHold>;

/** How many edges would open, change and close, and how many changes are held. */
export function summaryOf(plan: FleetPlan) {
  const count = (sign: Sign) => plan.changes.filter((change) => signOf(change) === sign).length;
  return {
    open: count('+'),
    change: count('~'),
    close: count('-'),
    held: plan.holds.length,
    /** Records of `claims: first` to create or delete. */
    claims: plan.claims.length,
    jwtProviders: countVerbs(plan.jwtProviders),
    /** ACL objects in Consul. Tokens that would end are not counted. */
    acl: countVerbs(plan.acl.changes.filter(({ step }) => step.do !== 'end-tokens')),
  };
}

export type PlanSummary = ReturnType<typeof summaryOf>;

function countVerbs(changes: readonly { readonly verb: string }[]) {
  const count = (verb: WriteVerb) => changes.filter((change) => change.verb === verb).length;
  return { create: count('created'), update: count('updated'), delete: count('deleted') };
}

export type Sign = '+' | '~' | '-';

/** An owned deny closes an edge as its removal does. */
export function signOf(change: Pick<Change, 'verb' | 'after'>): Sign {
  if (change.after === undefined || change.after.kind === 'deny') return '-';
  return change.verb === 'created' ? '+' : '~';
}

/** A mode that writes nothing, as the summary names it; empty in every other mode. */
export function notWrittenText(mapping: Pick<Mapping, 'mode'>): string {
  return policyOf(mapping).writes ? '' : ` (mode ${mapping.mode}: not written)`;
}

/**
 * The document that `plan --json` prints; changes and holds have the fields of a decision. `decisionId` of a hold is null
 * if neither a daemon nor the decision log knows it.
 */
export function planDocument(plan: FleetPlan, mapping: Mapping, known: KnownHolds = new Map()) {
  return {
    owner: mapping.owner,
    mode: mapping.mode,
    /** Whether the mode lets scopemesh write the changes. */
    isWritten: policyOf(mapping).writes,
    mappingRevision: mapping.revision,
    changes: [
      ...plan.claims.map(claimView),
      ...plan.jwtProviders.map(jwtProviderView),
      ...plan.changes.map(changeView),
      ...plan.acl.changes.map(aclChangeView),
    ],
    holds: plan.holds.map((hold) => {
      const { decisionId = null, rejectedBy = null } = known.get(holdKey(hold)) ?? {};
      return { decisionId, rejectedBy, ...holdView(hold) };
    }),
    summary: summaryOf(plan),
  };
}

/** The fields that every kind of change has. */
function headOf(change: Pick<Change, 'subject' | 'action' | 'verb' | 'reason' | 'resource' | 'client'>) {
  const { subject, action, verb, reason, resource, client } = change;
  return { subject, action, verb, reason, resource, ...(client === undefined ? {} : { client }) };
}

export function changeView(change: Change) {
  return {
    ...headOf(change),
    scopes: change.scopes,
    before: toPlainValue(viewOf(change.before)),
    after: toPlainValue(viewOf(change.after)),
  };
}

function jwtProviderView(change: JwtProviderChange) {
  return {
    subject: jwtProviderSubject(change.name),
    verb: change.verb,
    ...jwtProviderFacts(change),
    scopes: [],
  };
}

export function aclChangeView(change: AclChange) {
  return {
    ...headOf(change),
    ...(change.person === undefined ? {} : { person: change.person }),
    scopes: change.scopes,
    before: change.before ?? null,
    after: change.after ?? null,
  };
}

export function holdView(hold: Hold) {
  return {
    subject: hold.subject,
    action: hold.action,
    reason: hold.reason,
    detail: hold.detail,
    resource: hold.resource,
    ...(hold.client === undefined ? {} : { client: hold.client }),
    ...(hold.person === undefined ? {} : { person: hold.person }),
    scopes: hold.scopes,
    before: toPlainValue(viewOf(hold.before)),
    after: toPlainValue(viewOf(hold.after)),
  };
}

function claimView({ client, service, verb }: ClaimChange) {
  const { provider, clientId } = client;
  return { ...claimFacts(client, service, verb === 'created'), verb, client: { provider, clientId } };
}
