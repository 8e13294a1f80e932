import type { Config } from '../../../config/config.js';
import { toMapping } from '../../../config/mapping-revision.js';
import { needsAclObjects } from '../../acl/apply/acl-state.js';
import { needsUserTokens } from '../../read/user-token-facts.js';
import type { Use } from './known-flaws.js';

/** Whether the configuration lets anyone log in to Consul. */
export function wantsAcl(config: Config): boolean {
  return needsAclObjects(toMapping(config));
}

export function useOf(config: Config): Use {
  const { rules } = config;
  return {
    paths: rules.some(({ pathRegex, rawPath }) => pathRegex !== undefined || rawPath === true),
    headers: rules.some((rule) => rule.headers !== undefined),
    users: needsUserTokens(toMapping(config)),
  };
}
