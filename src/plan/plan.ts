import type { ClassifiedKind } from '../model/actor.js';
import type { Principal } from '../model/cause.js';
import type {
  ChangeReason,
  DecidedPerson,
  DecisionAction,
  HoldReason,
  Resource,
  WriteVerb,
} from '../model/decision.js';
import type { Access, ServiceName } from '../model/intention.js';
import type { Key } from '../model/key.js';
import { toUriText } from '../model/uri-text.js';
import type { ClientId } from './world.js';

export interface PlannedClient extends ClientId {
  readonly actorKind: ClassifiedKind;
}

/** What a change owes to break-glass grants. */
export interface BreakGlassPart {
  readonly does: 'open' | 'close';
  /** The grants, with who asked for them, who approved them, and why. */
  readonly detail: string;
  readonly by: Principal | undefined;
  /** All of them pass a freeze. */
  readonly passesFreeze: boolean;
  /** Nothing but the mark of the source says that a grant opened it. Every writer of the entry can write that. */
  readonly isByMark?: boolean;
}

/** What a change owes to the ruling of a person. */
export interface RulingPart {
  readonly by: Principal | undefined;
  readonly detail: string;
}

/** The current state of an edge: an access, nothing, or `other`: owned content that somebody changed to something unknown. */
export type ActualAccess = Access | { readonly kind: 'other' } | undefined;

/** One write of one edge. */
export interface Change {
  readonly subject: string;
  readonly resource: Resource;
  readonly source: ServiceName;
  readonly action: Exclude<DecisionAction, 'none'>;
  readonly verb: WriteVerb;
  readonly reason: ChangeReason;
  readonly before: ActualAccess;
  /** Undefined: the source is removed from the entry. */
  readonly after: Access | undefined;
  /** The Description to write, with the mark. */
  readonly description: string;
  readonly client?: PlannedClient;
  /** The scopes that open the edge or, for a revocation, the lost scopes. */
  readonly scopes: readonly string[];
  /** The scopes to record with the edge after the write, in the form of `toGrantText`. */
  readonly opensBy: readonly string[];
  /** Removes access only because a read did not show a fact; counts for the mass guard. */
  readonly isInferred: boolean;
  /** The edge has the mark, but scopemesh has no record of writing it: a person must approve the change. */
  readonly isUnrecorded?: boolean;
  /** Who approved it although the mass guard held it. It still counts. */
  readonly approvedBy?: Principal;
  /** Of a change that opens or closes only what break-glass grants open. */
  readonly breakGlass?: BreakGlassPart;
  /** Of a change that a person's deny makes. */
  readonly ruling?: RulingPart;
  /** The access to record as written, if a guard allowed only a part of the change. */
  readonly remembered?: Access | undefined;
  readonly narrows: boolean;
  readonly widens: boolean;
}

/** A change that is not made, with the reason. */
export interface Hold {
  readonly subject: string;
  readonly resource: Resource;
  readonly reason: HoldReason;
  /** Why the change would be made, if only the mode or a freeze forbids it. */
  readonly changeReason?: ChangeReason;
  readonly detail: string;
  readonly action: DecisionAction;
  readonly client?: PlannedClient;
  readonly person?: DecidedPerson;
  readonly scopes: readonly string[];
  readonly before?: ActualAccess;
  readonly after?: Access | undefined;
  /** What a removal of ACL objects leaves. An approval is valid only for this outcome. */
  readonly leaves?: string;
}

/** The ordered writes of one key: what narrows first, then the rest, each by source name. */
export interface Plan {
  readonly key: Key;
  readonly changes: readonly Change[];
  readonly holds: readonly Hold[];
  /** Identity providers whose jwt-provider must be written first; absent if none is missing. */
  readonly awaits?: readonly string[];
  /** The jwt-providers that changes name which a guard may hold; absent if there are none. */
  readonly names?: readonly string[];
  /** Marked edges without a record that equal the desired ones, by subject: the records to make. Absent if there are none. */
  readonly records?: ReadonlyMap<string, string>;
}

/** What every kind of change tells its hold. */
interface Holdable extends Pick<Hold, 'subject' | 'resource' | 'action' | 'scopes' | 'client' | 'person'> {
  readonly reason: ChangeReason;
}

/** The hold of a change. */
export function holdOf(
  { subject, resource, reason: changeReason, action, scopes, client, person }: Holdable,
  reason: HoldReason,
  detail: string,
): Hold {
  return {
    subject,
    resource,
    reason,
    ...(reason === 'ModeForbids' || reason === 'Frozen' ? { changeReason } : {}),
    detail,
    action,
    scopes,
    ...(client === undefined ? {} : { client }),
    ...(person === undefined ? {} : { person }),
  };
}

/** The hold of a change of an edge. */
export function toHold(change: Change, reason: Hold['reason'], detail: string): Hold {
  return { ...holdOf(change, reason, detail), before: change.before, after: change.after };
}

/** `intention/<partition>/<namespace>/<destination>/<source>`, the order of decisions. */
export function intentionSubject(destination: ServiceName, source: string): string {
  const { partition, namespace, name } = destination;
  return `intention/${encodeSegment(partition)}/${encodeSegment(namespace)}/${encodeSegment(name)}/${encodeSegment(source)}`;
}

export function claimSubject(client: ClientId, serviceName: string): string {
  return ['claim', client.provider, client.clientId, serviceName].map(encodeSegment).join('/');
}

export function claimResource({ name, namespace, partition }: ServiceName): Resource {
  return { kind: 'claim', name, namespace, partition };
}

/** What a decision says of the creation or the deletion of a record of a claim. */
export function claimFacts(client: ClientId, serviceName: ServiceName, isNew: boolean) {
  return {
    subject: claimSubject(client, serviceName.name),
    action: isNew ? ('grant' as const) : ('revoke' as const),
    reason: isNew ? ('ClaimAdded' as const) : ('ClaimRemoved' as const),
    resource: claimResource(serviceName),
    scopes: [],
    before: isNew ? null : { service: serviceName.name },
    after: isNew ? { service: serviceName.name } : null,
  };
}

export function clientSubject(client: ClientId): string {
  return ['client', client.provider, client.clientId].map(encodeSegment).join('/');
}

export function intentionResource(destination: ServiceName, source: string): Resource {
  return {
    kind: 'intention',
    source,
    destination: destination.name,
    namespace: destination.namespace,
    partition: destination.partition,
  };
}

export function encodeSegment(text: string): string {
  const encoded = toUriText(text);
  return encoded === text ? text : encoded.replaceAll('%3A', ':').replaceAll('%2C', ',');
}
