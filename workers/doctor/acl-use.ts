import type { Config } from '../../config/config.js';
import { toMapping } from '../../config/mapping-revision.js';
import { isAclWanted } from '../../src/reconcile/acl/acl-state.js';
import type { Use } from './known-flaws.js';

/** Whether anything of the configuration gives out tokens of Consul's. */
export function wantsAcl(config: Config): boolean {
  return isAclWanted(toMapping(config));
}

export function useOf({ rules }: Pick<Config, 'rules'>): Use {
  return {
    paths: rules.some((rule) =>
      [rule.path, rule.pathExact, rule.pathPrefix, rule.pathRegex].some((path) => path !== undefined),
    ),
    headers: rules.some((rule) => rule.headers !== undefined),
    users: rules.some((rule) => rule.userRequired),
  };
}
