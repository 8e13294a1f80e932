import { remains } from '../../app/remains.js';
import { toCloudEvent } from '../../decisions/envelope.js';
import { principalText } from '../../model/cause.js';
import { type Decision, isMade } from '../../model/decision.js';
import { UNKNOWN } from '../../model/residual.js';
import type { DecisionList } from '../../trail/list-decisions.js';
import type { DecisionPage, DecisionRow, Decisions } from '../answers.js';
import { shownClient } from './parts.js';

/** A decision as lists and the stream show it. */
export function toDecisionRow(decision: Decision): DecisionRow {
  const { id, time, subject, type, action, outcome, reason, resource, client, person, cause } = decision;
  const by = decision.principal ?? cause.principal;
  return {
    id,
    time,
    subject,
    kind: resource.kind,
    verb: type.slice(type.lastIndexOf('.') + 1),
    action,
    outcome,
    reason,
    from: resource.source ?? null,
    to: resource.destination ?? null,
    client: shownClient(client),
    person: person === undefined ? null : `${person.provider}/${person.subject ?? '?'}`,
    scopes: [...(decision.scopes ?? [])],
    by: by === undefined ? null : principalText(by),
    comment: by?.comment ?? null,
    cause: cause.kind,
    detail: decision.detail ?? null,
    latencyMs: decision.latencyMs ?? null,
    sequence: decision.chain?.sequence ?? null,
  };
}

export function toDecisions({ decisions, next }: DecisionList): Decisions {
  return { rows: decisions.map(toDecisionRow), next: next ?? null };
}

export function toDecisionPage(decision: Decision): DecisionPage {
  const event = toCloudEvent(decision);
  const { before = null, after = null } = event.data;
  return { ...toDecisionRow(decision), before, after, outlives: outlives(decision), event: { ...event } };
}

/** A revocation that does not say what outlives it, as one by somebody else, leaves that unknown. */
function outlives(decision: Decision): DecisionPage['outlives'] {
  const { residual, action, time } = decision;
  if (residual !== undefined)
    return Array.from(remains(residual, time), ({ text, until = null }) => ({ text, until }));
  if (action !== 'revoke' || !isMade(decision)) return [];
  return [{ text: 'the decision does not say what outlives it', until: UNKNOWN }];
}
