import type { AclObject } from '../../model/acl.js';
import type { Principal } from '../../model/cause.js';
import type {
  ChangeReason,
  DecidedPerson,
  DecisionAction,
  Resource,
  ResourceKind,
} from '../../model/decision.js';
import { toUriText } from '../../model/uri-text.js';
import type { Hold, PlannedClient } from '../plan.js';

export type AclKind = AclObject['kind'];

/** One step of an ACL plan. Steps are carried out in their order; one that fails stops only what widens after it. */
export type AclStep =
  /** Creates (no `id`) or replaces. */
  | { readonly do: 'write'; readonly id: string | undefined; readonly object: AclObject }
  | { readonly do: 'delete'; readonly kind: AclKind; readonly id: string; readonly name: string }
  /** Ends the live tokens that a filter of Consul finds, all or those that may live too long. */
  | {
      readonly do: 'end-tokens';
      readonly by: { readonly authMethod: string } | { readonly role: string };
      /** Only tokens that were given a longer life than this. */
      readonly longerThanSeconds?: number;
    };

/** Why an object changes, and for whom. */
export interface AclWhy {
  readonly reason: ChangeReason;
  /** Only inferred from what a read did not show; counts for the mass guard. */
  readonly isInferred: boolean;
  readonly client?: PlannedClient;
  readonly person?: DecidedPerson;
  readonly scopes: readonly string[];
}

export interface AclChange extends AclWhy {
  readonly subject: string;
  readonly resource: Resource;
  readonly action: Exclude<DecisionAction, 'none'>;
  readonly verb: 'created' | 'updated' | 'deleted';
  readonly before?: AclObject['object'];
  readonly after?: AclObject['object'];
  /** Who let it pass although the mass guard held it. */
  readonly approvedBy?: Principal;
  /** What to remember as written, where a guard holds the rest of what is wanted. */
  readonly remembered?: AclObject;
  readonly narrows: boolean;
  readonly widens: boolean;
  readonly step: AclStep;
}

/** The ordered steps: what narrows, then what widens, then what is left over. */
export interface AclPlan {
  readonly changes: readonly AclChange[];
  readonly holds: readonly Hold[];
}

/** `acl-role/<name>`; a binding rule has no name and is called by its method and what it binds. */
export function aclSubject(kind: ResourceKind, ...names: readonly string[]): string {
  return [kind, ...names].map((name) => toUriText(name)).join('/');
}

export function nameOf(object: AclObject): readonly string[] {
  return object.kind === 'acl-binding-rule'
    ? [object.object.authMethod, object.object.bindName]
    : [object.object.name];
}

/** A text by which two objects are the same, whatever the order of their fields; for comparison and memory. */
export function digestObject({ object }: AclObject): string {
  return canonicalJson(object);
}

/** The same for an object that has been through JSON. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(',')}}`;
}
