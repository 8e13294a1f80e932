import { type Decision, isMade, type Resource, type ResourceKind } from '../model/decision.js';
import { covers } from '../plan/access.js';
import { asAccess, isOpen, toAccess } from './content.js';

/** What the trail says of one subject at an instant: of an edge, an ACL object, a jwt-provider, a claim or a quarantine. */
export interface SubjectState {
  readonly subject: string;
  readonly resource: Resource;
  /** As decisions have it; null: it does not exist. */
  readonly content: unknown;
  /** `decision`: a decision set it. `before`: only a decision afterwards says what was there. */
  readonly basis: 'decision' | 'before';
  /** The decision that set it, or the one that says what was there before. */
  readonly decision: Decision;
  /** The decision since which it is there without a break; undefined if it is not there, or is older than the trail. */
  readonly since: Decision | undefined;
  /** Of a policy neither: clients and people share it, and who has it follows from the roles that link it. */
  readonly client: Decision['client'];
  readonly person: Decision['person'];
  /** The scopes that open it, as far as the decisions name them. */
  readonly scopes: readonly string[];
  /** A write whose outcome a crash left unknown: perhaps it is as `after` of this decision says. */
  readonly uncertain: Decision | undefined;
  /** A change that is held. It changed nothing. */
  readonly held: Decision | undefined;
}

/** What is there is not known to be scopemesh's own: a hold for one of these reasons says nothing of its own access. */
const FOREIGN_CONTENT: ReadonlySet<Decision['reason']> = new Set([
  'ForeignSource',
  'ForeignObject',
  'LegacyEntry',
  'ManagedElsewhere',
  'MarkLost',
  'MarkUnrecorded',
]);

/** Resources that have a state. The others are about something that happened. */
const WITH_STATE: ReadonlySet<ResourceKind> = new Set([
  'intention',
  'claim',
  'client',
  'jwt-provider',
  'acl-policy',
  'acl-role',
  'acl-binding-rule',
  'acl-auth-method',
]);

/**
 * Folds the decisions of one subject, newest first, up to an instant. `next` is the first decision after it, which says what
 * was there if no earlier one does. Undefined if nothing is known.
 */
export function toSubjectState(newestFirst: readonly Decision[], next?: Decision): SubjectState | undefined {
  let state: SubjectState | undefined;
  for (const decision of newestFirst.toReversed()) state = foldDecision(state, decision);
  if (state !== undefined || next === undefined || !isChange(next)) return state;
  const was = next.reason === 'Found' ? next.after : next.before;
  if (was === null || was === undefined) return undefined;
  return { ...stateOf(next, was), basis: 'before', since: undefined, scopes: [] };
}

/** The state after one more decision of the subject. What is held, failed or only observed changed nothing. */
function foldDecision(state: SubjectState | undefined, decision: Decision): SubjectState | undefined {
  // A topic may deliver a decision again.
  if (state?.decision.id === decision.id || !WITH_STATE.has(decision.resource.kind)) return state;
  if (isChange(decision)) return changed(state, decision);
  const { outcome, type } = decision;
  if (type.endsWith('.released')) return withoutHold(state);
  const known = state ?? before(decision);
  if (outcome === 'unknown') return { ...known, uncertain: decision };
  return outcome === 'held' ? { ...known, held: decision } : state;
}

/** A hold that alone was known of a subject, and that said nothing of its content, leaves nothing. */
function withoutHold(state: SubjectState | undefined): SubjectState | undefined {
  if (state === undefined) return undefined;
  const { basis, content, uncertain } = state;
  if (basis === 'before' && content === null && uncertain === undefined) return undefined;
  return { ...state, held: undefined };
}

/** Whether the newest decisions say everything that a fold of all of them would: one of them opened or ended it. */
export function isBeginning(decision: Decision): boolean {
  if (decision.reason === 'Found') return false;
  return isChange(decision) && (!isThere(decision, decision.before) || !isThere(decision, decision.after));
}

/** Whether it changed the state: scopemesh did, or it saw that somebody else had ended an edge of its own. */
export function isChange(decision: Decision): boolean {
  return isMade(decision) && WITH_STATE.has(decision.resource.kind);
}

/** Whether it exists; an edge: whether it opens anything. */
export function isThere({ resource }: Pick<Decision, 'resource'>, content: unknown): boolean {
  if (content === null || content === undefined) return false;
  return resource.kind !== 'intention' || isOpen(toAccess(content));
}

function changed(state: SubjectState | undefined, decision: Decision): SubjectState {
  const isKept = isThere(decision, decision.after);
  const wasThere = isThere(decision, decision.before);
  // What an earlier log says of it is not lost: it was there already.
  if (decision.reason === 'Found')
    return {
      ...stateOf(decision, decision.after ?? null),
      basis: 'before',
      since: state?.since,
    };
  return {
    ...stateOf(decision, decision.after ?? null),
    since: !isKept ? undefined : wasThere ? state?.since : decision,
    scopes: isKept ? scopesAfter(state, decision) : [],
  };
}

/** A decision about a loss names the lost scopes, any other those that open the edge. Empty if the rest is not known. */
function scopesAfter(state: SubjectState | undefined, decision: Decision): readonly string[] {
  const { scopes = [], resource, before: from, after: to } = decision;
  const known = state?.scopes ?? [];
  const isLoss = resource.kind === 'intention' && covers(asAccess(toAccess(from)), asAccess(toAccess(to)));
  if (!isLoss) return scopes;
  const left = known.filter((scope) => !scopes.includes(scope));
  return left.length === 0 ? known : left;
}

function stateOf(decision: Decision, content: unknown): SubjectState {
  const { subject, resource, scopes = [] } = decision;
  const isShared = resource.kind === 'acl-policy';
  const { client, person } = isShared ? {} : decision;
  return {
    subject,
    resource,
    content,
    basis: 'decision',
    decision,
    since: undefined,
    client,
    person,
    scopes,
    uncertain: undefined,
    held: undefined,
  };
}

/** What a decision that changed nothing says of the state. */
function before(decision: Decision): SubjectState {
  const isForeign = decision.outcome === 'held' && FOREIGN_CONTENT.has(decision.reason);
  return { ...stateOf(decision, isForeign ? null : (decision.before ?? null)), basis: 'before', scopes: [] };
}
