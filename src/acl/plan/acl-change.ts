import type { AclObject } from '../../model/acl.js';
import { canonicalJson } from '../../model/canonical-json.js';
import type { Principal } from '../../model/cause.js';
import type {
  ChangeReason,
  DecidedPerson,
  DecisionAction,
  HoldReason,
  Resource,
  ResourceKind,
  WriteVerb,
} from '../../model/decision.js';
import { toUriText } from '../../model/uri-text.js';
import type { Hold, PlannedClient } from '../../plan/plan.js';

export type AclKind = AclObject['kind'];

/** One step of an ACL plan. Steps run in order; a failed step stops only later steps that widen. */
export type AclStep =
  /** Creates (no `id`) or replaces. */
  | { readonly do: 'write'; readonly id: string | undefined; readonly object: AclObject }
  | { readonly do: 'delete'; readonly kind: AclKind; readonly id: string; readonly name: string }
  /** Deletes the live tokens that a Consul filter finds: all of them, or those that may live too long. */
  | {
      readonly do: 'end-tokens';
      readonly by: { readonly authMethod: string } | { readonly role: string };
      /** Only tokens with a longer lifetime than this. */
      readonly longerThanSeconds?: number;
    };

/** Why an object changes, and for whom. */
export interface AclChangeContext {
  readonly reason: ChangeReason;
  /** Inferred only because a read did not show a fact; counts for the mass guard. */
  readonly isInferred: boolean;
  readonly client?: PlannedClient;
  readonly person?: DecidedPerson;
  readonly scopes: readonly string[];
}

export interface AclChange extends AclChangeContext {
  readonly subject: string;
  readonly resource: Resource;
  readonly action: Exclude<DecisionAction, 'none'>;
  readonly verb: WriteVerb;
  readonly before?: AclObject['object'];
  readonly after?: AclObject['object'];
  /** Who approved it although the mass guard held it. */
  readonly approvedBy?: Principal;
  /** The object to record as written, if a guard holds the rest of the change. */
  readonly remembered?: AclObject;
  readonly narrows: boolean;
  readonly widens: boolean;
  readonly step: AclStep;
}

/** The ordered steps: narrowing, then widening, then unused objects. */
export interface AclPlan {
  readonly changes: readonly AclChange[];
  readonly holds: readonly Hold[];
}

/** `acl-role/<name>`. A binding rule has no name; its subject has its method and its bind name. */
export function aclSubject(kind: ResourceKind, ...names: readonly string[]): string {
  return [kind, ...names].map((name) => toUriText(name)).join('/');
}

/** A hold of a login: of a client, or of the people of a provider. */
export function loginHold(
  name: string,
  reason: HoldReason,
  detail: string,
  whose: Pick<Hold, 'scopes' | 'client'> = { scopes: [] },
): Hold {
  const kind = 'acl-auth-method';
  const [subject, resource] = [aclSubject(kind, name), { kind, name } as const];
  return { subject, resource, reason, detail, action: 'grant', ...whose };
}

export function nameOf(object: AclObject): readonly string[] {
  return object.kind === 'acl-binding-rule'
    ? [object.object.authMethod, object.object.bindName]
    : [object.object.name];
}

/** The name of a role, a method or a policy; of a binding rule, which has two, that of its method. */
export function firstNameIn(resourceName: string): string {
  return resourceName.split('/', 1)[0] ?? '';
}

/** A text that is equal for equal objects, regardless of the order of fields; for comparison and to record writes. */
export function digestObject({ object }: AclObject): string {
  return canonicalJson(object);
}
