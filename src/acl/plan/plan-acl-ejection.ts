import type { AclObject, AclSnapshot, Stored } from '../../model/acl.js';
import type { AclChange } from './acl-change.js';
import { createSteps } from './acl-steps.js';
import { ownedAcl } from './owned-acl.js';

const ALTERED =
  'somebody gave the object content that scopemesh does not know and would lose; remove the mark from its Description manually';

/** The mark of one ACL object that goes. */
export interface AclEjection {
  readonly change: AclChange;
  /** Why the mark must stay; undefined if it can go. */
  readonly why?: string;
}

/**
 * Takes the mark from the Description of every owned ACL object. The names stay, although they begin with the owner: logins
 * name the auth methods, and binding rules the roles. Without the mark nothing of them is owned. A write replaces the whole
 * object, so the mark of an object with content that scopemesh does not model stays.
 */
export function planAclEjection(owner: string, snapshot: AclSnapshot): readonly AclEjection[] {
  const steps = createSteps({
    why: () => ({ reason: 'Ejected', isInferred: false, scopes: [] }),
    lastApplied: new Map(),
  });
  const { policies, roles, authMethods, bindingRules } = ownedAcl(owner, snapshot);
  const eject = (kept: Stored<AclObject['object']>, target: AclObject): AclEjection => {
    const change = steps.update(kept.id, withoutDescription(target), target.object, 'neither');
    return kept.isAltered ? { change, why: ALTERED } : { change };
  };
  return [
    ...[...policies.values()].map((kept) => eject(kept, { kind: 'acl-policy', object: kept.object })),
    ...[...roles.values()].map((kept) => eject(kept, { kind: 'acl-role', object: kept.object })),
    // A rule is owned by the mark of its own, so the order of the two does not matter.
    ...bindingRules.map((kept) => eject(kept, { kind: 'acl-binding-rule', object: kept.object })),
    ...[...authMethods.values()].map((kept) => eject(kept, { kind: 'acl-auth-method', object: kept.object })),
  ];
}

/** Whether both are about the same object in Consul. */
export function isSameAclObject(a: AclChange, b: AclChange): boolean {
  const [one, other] = [a.step, b.step];
  return (
    a.resource.kind === b.resource.kind && one.do === 'write' && other.do === 'write' && one.id === other.id
  );
}

function withoutDescription(target: AclObject): AclObject {
  switch (target.kind) {
    case 'acl-policy':
      return { ...target, object: { ...target.object, description: '' } };
    case 'acl-role':
      return { ...target, object: { ...target.object, description: '' } };
    case 'acl-auth-method':
      return { ...target, object: { ...target.object, description: '' } };
    case 'acl-binding-rule':
      return { ...target, object: { ...target.object, description: '' } };
  }
}
