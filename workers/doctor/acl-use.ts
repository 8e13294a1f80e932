import type { Config } from '../../config/config.js';
import type { Use } from './known-flaws.js';

/** Whether anything of the configuration gives out tokens of Consul's. */
export function wantsAcl(config: Pick<Config, 'login' | 'groups' | 'rules'>): boolean {
  return config.login || config.groups.length > 0 || config.rules.some((rule) => rule.acl !== undefined);
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
