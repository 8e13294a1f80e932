import type { AclAuthMethod, AclBindingRule, AclObject, Stored } from '../../model/acl.js';
import { type AclChange, digestObject } from './acl-change.js';
import type { AclSteps } from './acl-steps.js';
import { inOrder, type OwnedAcl, ruleKey } from './owned-acl.js';

interface MethodDiff {
  /** Methods to delete with their rules and tokens: undesired, or to be created again. */
  readonly deleted: readonly AclChange[];
  readonly shortened: readonly AclChange[];
  readonly written: readonly AclChange[];
  /** Whether an owned method exists throughout the plan. */
  readonly lives: (name: string) => boolean;
}

export function diffMethods(
  desired: ReadonlyMap<string, AclAuthMethod>,
  ours: OwnedAcl,
  steps: AclSteps,
  mayRemove: (object: AclObject) => boolean,
): MethodDiff {
  const gone = new Set<string>();
  const deleted: AclChange[] = [];
  const shortened: AclChange[] = [];
  const written: AclChange[] = [];
  for (const [key, stored] of inOrder(ours.authMethods)) {
    const to = desired.get(key);
    const object = methodObject(stored.object);
    if (to === undefined ? !mayRemove(object) : !mayHaveAdmittedOthers(stored, to)) continue;
    gone.add(key);
    deleted.push(steps.remove(stored.id, object));
  }
  for (const [key, method] of inOrder(desired)) {
    const stored = ours.authMethods.get(key);
    if (stored === undefined || gone.has(key)) {
      written.push(steps.create(methodObject(method)));
      continue;
    }
    const before = stored.object;
    const isShorter =
      !isUnlimited(method.maxTokenTtlSeconds) &&
      (method.maxTokenTtlSeconds < before.maxTokenTtlSeconds || isUnlimited(before.maxTokenTtlSeconds));
    if (isShorter) {
      shortened.push(ofLifetime(steps.update(stored.id, methodObject(method), before, 'narrows')));
      shortened.push(
        ofLifetime(
          steps.endTokens(methodObject(method), { authMethod: before.name }, method.maxTokenTtlSeconds),
        ),
      );
    } else if (method.maxTokenTtlSeconds > before.maxTokenTtlSeconds)
      written.push(ofLifetime(steps.update(stored.id, methodObject(method), before, 'widens')));
    else if (method.description !== before.description || method.name !== before.name)
      written.push(steps.update(stored.id, methodObject(method), before, 'neither'));
  }
  const lives = (name: string) => ours.authMethods.has(name.toLowerCase()) && !gone.has(name.toLowerCase());
  return { deleted, shortened, written, lives };
}

interface RuleDiff {
  readonly narrowing: readonly AclChange[];
  readonly widening: readonly AclChange[];
  /** Roles, by lower-case name, whose tokens may belong to others. */
  readonly tainted: ReadonlySet<string>;
}

/** The rules of methods that stay. Rules of deleted methods end with them. */
export function diffRules(
  desired: readonly AclBindingRule[],
  ours: OwnedAcl,
  lives: (method: string) => boolean,
  steps: AclSteps,
  mayRemove: (object: AclObject) => boolean,
): RuleDiff {
  const desiredByKey = new Map(desired.map((rule) => [ruleKey(rule), rule]));
  const admitted = new Set<string>();
  const tainted = new Set<string>();
  const narrowing: AclChange[] = [];
  const widening: AclChange[] = [];
  for (const stored of ours.bindingRules.filter(({ object }) => lives(object.authMethod))) {
    const key = ruleKey(stored.object);
    const to = desiredByKey.get(key);
    const object = ruleObject(stored.object);
    if (to === undefined && !mayRemove(object)) continue;
    const isEqual = to?.selector === stored.object.selector && !stored.isAltered;
    if (isEqual && !admitted.has(key)) {
      admitted.add(key);
      if (to.description !== stored.object.description)
        widening.push(steps.update(stored.id, ruleObject(to), stored.object, 'neither'));
      continue;
    }
    // Consul accepts duplicates; the removal of one changes nothing.
    narrowing.push(steps.remove(stored.id, object, isEqual ? 'neither' : 'narrows'));
    if (isEqual) continue;
    const role = stored.object.bindName.toLowerCase();
    if (stored.object.bindType === 'role' && ours.roles.has(role)) tainted.add(role);
    else narrowing.push(steps.endTokens(object, { authMethod: stored.object.authMethod }));
  }
  for (const [key, rule] of inOrder(desiredByKey))
    if (!admitted.has(key)) widening.push(steps.create(ruleObject(rule)));
  return { narrowing, widening, tainted };
}

/** Whether the existing method may have admitted tokens that the desired one would not. */
export function mayHaveAdmittedOthers(stored: Stored<AclAuthMethod>, to: AclAuthMethod): boolean {
  const asWritten = { ...to, config: stored.object.config };
  return stored.isAltered || digestObject(methodObject(to)) !== digestObject(methodObject(asWritten));
}

/** Without a limit, Consul tokens never expire. */
export function isUnlimited(maxTokenTtlSeconds: number): boolean {
  return maxTokenTtlSeconds === 0;
}

/** A lifetime comes explicitly from the identity provider or the configuration, so its change is never inferred. */
function ofLifetime(change: AclChange): AclChange {
  return change.reason === 'DriftCorrected'
    ? change
    : { ...change, reason: 'LifetimeChanged', isInferred: false };
}

function methodObject(object: AclAuthMethod): AclObject {
  return { kind: 'acl-auth-method', object };
}

function ruleObject(object: AclBindingRule): AclObject {
  return { kind: 'acl-binding-rule', object };
}
