import type { AclChange } from '../../../src/acl/plan/acl-change.js';
import { diffAcl } from '../../../src/acl/plan/diff-acl.js';
import type { DesiredAcl } from '../../../src/acl/plan/login.js';
import type { AclSnapshot } from '../../../src/model/acl.js';
import type { Mode } from '../../../src/model/rule.js';
import { policyOf } from '../../../src/plan/mode.js';
import { aclRule, because, client, desire, READ_CONFIG, WRITE_ORDERS } from './acl-scene.js';
import { AclStore } from './acl-store.js';

const RULES = [aclRule('config:read', READ_CONFIG), aclRule('orders:write', WRITE_ORDERS)];
export const NAME = 'scopemesh-pay-main-web';

/** What the client `web` should have with these scopes. */
export function of(
  scopes: readonly string[],
  changes: Parameters<typeof desire>[1] = {},
  lifetime = 300,
): DesiredAcl {
  const each = client('web', scopes, { accessTokenLifetimeSeconds: lifetime });
  return desire(each, { mapping: { rules: RULES }, ...changes }).desired;
}

export const web = of(['config:read']);
export const both = of(['config:read', 'orders:write']);

export function existing(desired: DesiredAcl, change: (store: AclStore) => void = () => {}): AclSnapshot {
  const store = new AclStore();
  store.put(desired);
  change(store);
  return store.snapshot();
}

export function plan(
  desired: DesiredAcl,
  actual: AclSnapshot,
  mode: Mode = 'enforce',
  lastApplied = new Map<string, string>(),
) {
  return diffAcl({
    owner: 'pay',
    ...policyOf({ mode }),
    desired,
    actual,
    mayRemove: () => true,
    why: because,
    lastApplied,
  });
}

/** `verb kind` of each step, in order. */
export function steps(changes: readonly AclChange[]): readonly string[] {
  return changes.map(({ verb, resource, step }) =>
    step.do === 'end-tokens' ? `end tokens of ${Object.keys(step.by).join()}` : `${verb} ${resource.kind}`,
  );
}

/** Of the first object of one kind, with something of it changed by hand. */
export function edit<T extends object>(
  all: Map<string, T>,
  changes: Partial<T> & { isAltered?: boolean },
): void {
  for (const [id, each] of [...all].slice(0, 1)) all.set(id, { ...each, ...changes });
}
