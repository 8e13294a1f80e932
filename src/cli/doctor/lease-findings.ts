import type { Config } from '../../../config/config.js';
import { decidingPrefix, levelsOf } from '../../plan/acl/merged-rules.js';
import type { AclRules } from '../../plan/acl/rules-text.js';
import { policyOf } from '../../plan/mode.js';
import { error, type Finding } from './finding.js';
import { missingKeyAccess } from './token-rules.js';

export const SESSION_RULE = 'session_prefix "" { policy = "write" }';

/** Whether the token may lock the key of the leader. Without that nothing is ever written. In mode observe it need not. */
export function* leaseFindings(policies: readonly AclRules[], config: Config): Iterable<Finding> {
  if (!policyOf(config).writes) return;
  const folder = `scopemesh/${config.owner}/`;
  const hasSession = decidingPrefix(levelsOf(policies, 'session'), '')?.level === 'write';
  const keys = ['leader', 'cluster'].map((name) => missingKeyAccess(policies, folder, folder + name));
  const missingAccess = keys.find((each) => each !== undefined);
  if (hasSession && missingAccess === undefined) return;
  const what = [
    ...(hasSession ? [] : ['sessions']),
    ...(missingAccess === undefined ? [] : [missingAccess.what]),
  ].join(' and ');
  const rules = [...(hasSession ? [] : [SESSION_RULE]), ...(missingAccess?.rules ?? [])];
  const remedies = [
    ...(rules.length > 0 ? [`add these rules: ${rules.join(' ')}`] : []),
    ...(missingAccess !== undefined && missingAccess.forbidding.length > 0
      ? [`remove ${missingAccess.forbidding.join(' ')}`]
      : []),
  ];
  yield error(
    'consul.token-lease',
    `the rules of the ACL token do not let it write ${what}, so it can never lead, and nothing is written`,
    remedies.join(', and '),
  );
}
