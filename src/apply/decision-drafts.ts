import type { Cause } from '../model/cause.js';
import { compareText } from '../model/compare-text.js';
import type { Decision, DraftDecision, Outcome, Reason } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import { groupBy } from '../model/group-by.js';
import { type Stamp, typeOf } from '../model/plain-decision.js';
import type { Job, Trigger } from '../model/trigger.js';
import { canonical } from '../plan/access.js';
import type { GrantReason } from '../plan/destination-input.js';
import type { ActualAccess, Change, Hold, PlannedClient } from '../plan/plan.js';
import { clientText } from '../plan/world.js';
import type { SettledDecision } from '../queue/journal.js';

/** The draft of an intention write, recorded before it. */
export function draftOf(change: Change, of: Cause, expectedIndex: number, stamp: Stamp): DraftDecision {
  const cause = causeOfChange(change, of, stamp);
  const principal = change.approvedBy ?? change.breakGlass?.by ?? change.ruling?.by ?? cause.principal;
  return {
    id: stamp.newId(),
    type: typeOf('intention', change.verb),
    subject: change.subject,
    source: stamp.source,
    action: change.action,
    reason: change.reason,
    resource: change.resource,
    ...(change.client === undefined ? {} : { client: clientOf(change.client) }),
    scopes: change.scopes,
    ...(principal === undefined ? {} : { principal }),
    cause,
    before: viewOf(change.before),
    after: viewOf(change.after),
    ...definedFields({ detail: change.breakGlass?.detail ?? change.ruling?.detail }),
    mappingRevision: stamp.mappingRevision,
    expectedIndex,
    recordedAt: stamp.time,
    opensBy: change.opensBy,
  };
}

/** Whether the mass guard may have counted the edge for this write: a grant removes nothing. */
export function mayRemove({ action }: Pick<DraftDecision, 'action'>): boolean {
  return action !== 'grant';
}

/** The decision of a draft that is settled. */
export function settledOf(
  draft: DraftDecision,
  settlement: {
    outcome: Outcome;
    time: string;
    nowMs: number;
    modifyIndex?: number;
    reason?: Reason;
    detail?: string;
  },
): SettledDecision {
  const { expectedIndex: _, recordedAt: __, opensBy: ___, residual, type, reason, detail, ...rest } = draft;
  const failed = settlement.outcome === 'failed' || settlement.outcome === 'unknown';
  // The rest comes last: V8 takes microseconds for each field that follows a spread of many.
  return {
    type: failed ? typeOf(draft.resource.kind, 'failed') : type,
    reason: settlement.reason ?? reason,
    outcome: settlement.outcome,
    time: settlement.time,
    ...(settlement.modifyIndex === undefined ? {} : { consul: { modifyIndex: settlement.modifyIndex } }),
    ...definedFields({ detail: settlement.detail ?? detail }),
    // What was not written leaves the access as it was.
    ...(residual === undefined || settlement.outcome !== 'applied' ? {} : { residual }),
    latencyMs: Math.max(0, settlement.nowMs - Date.parse(draft.cause.receivedAt)),
    ...rest,
  };
}

/** The decision about a new hold, or (`verb: 'released'`) about one that ended. */
export function holdDecision(
  hold: Hold,
  verb: 'held' | 'planned' | 'released',
  cause: Cause,
  stamp: Stamp,
): SettledDecision {
  return {
    id: stamp.newId(),
    type: typeOf(hold.resource.kind, verb),
    subject: hold.subject,
    source: stamp.source,
    action: hold.action,
    outcome: verb === 'held' ? 'held' : 'observed',
    reason: verb === 'released' ? 'HoldEnded' : hold.reason,
    ...(hold.changeReason === undefined ? {} : { changeReason: hold.changeReason }),
    resource: hold.resource,
    ...(hold.client === undefined ? {} : { client: clientOf(hold.client) }),
    ...(hold.person === undefined ? {} : { person: hold.person }),
    scopes: hold.scopes,
    ...(cause.principal === undefined ? {} : { principal: cause.principal }),
    cause,
    before: viewOf(hold.before),
    after: viewOf(hold.after),
    detail: hold.detail,
    mappingRevision: stamp.mappingRevision,
    time: stamp.time,
  };
}

/** An access as decisions show it; null for no access. Equal access gives equal JSON. */
export function viewOf(access: ActualAccess): Decision['before'] {
  if (access === undefined) return null;
  if (access.kind === 'other') return { access: 'other' };
  const form = canonical(access);
  return form.kind === 'http' ? { access: 'http', permissions: form.permissions } : { access: form.kind };
}

/** The cause of each client's changes: of the triggers that name the client, or else of the whole job. */
export function causesOf(job: Job): (client: PlannedClient | undefined) => Cause {
  const whole = causeOf(job);
  const byClient = groupBy(job.triggers, ({ client }) => client && clientText(client));
  return (client) => {
    const own = client && byClient.get(clientText(client));
    return own === undefined ? whole : causeOf({ ...job, triggers: own });
  };
}

/**
 * The cause in a job's decisions: orders first, then identity provider events, then commands and files, then everything
 * else.
 */
export function causeOf(job: Job): Cause {
  const rank = (trigger: Trigger): number => {
    const { kind } = trigger.cause;
    return kind === 'order'
      ? 0
      : kind === 'webhook' || kind === 'poll'
        ? 1
        : kind === 'config' || kind === 'command'
          ? 2
          : 3;
  };
  const [first] = job.triggers.toSorted(
    (a, b) => rank(a) - rank(b) || compareText(a.cause.receivedAt, b.cause.receivedAt),
  );
  return first?.cause ?? { kind: 'retry', receivedAt: new Date(0).toISOString() };
}

/**
 * The cause in the decision about one change. Nobody at the identity provider made a drift: a job that follows an event may
 * only be the first to find it.
 */
export function causeOfChange(
  { reason }: { readonly reason: Reason },
  cause: Cause,
  { time }: Pick<Stamp, 'time'>,
): Cause {
  const isOfProvider = ['order', 'webhook', 'poll'].includes(cause.kind);
  return reason === 'DriftCorrected' && isOfProvider ? { kind: 'consul-watch', receivedAt: time } : cause;
}

export function grantReasonOf(job: Job): GrantReason {
  const kinds = new Set(job.triggers.map((trigger) => trigger.cause.kind));
  if (kinds.has('webhook') || kinds.has('poll') || kinds.has('full-read') || kinds.has('order'))
    return 'ScopeGranted';
  if (kinds.has('config')) return 'MappingChanged';
  return kinds.has('consul-watch') ? 'ClaimAdded' : 'ScopeGranted';
}

export function clientOf(client: PlannedClient): NonNullable<Decision['client']> {
  return { provider: client.provider, clientId: client.clientId, actorKind: client.actorKind };
}
