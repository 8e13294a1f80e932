import type { Config } from '../../config/config.js';
import { accessText } from '../app/access-text.js';
import type { DefaultPolicy, ServiceName } from '../model/intention.js';
import type { Proposal } from '../proposal/proposal.js';
import type { AclProposal } from '../proposal/propose-acl.js';
import { attributeOf, type ClaimConfig, confirmLines, metaOf } from './confirm-lines.js';
import type { UnexplainedAcl } from './read-unexplained-acl.js';

/** Begins the sentence about `aclTrouble`. */
export const LEFT_OUT = 'The proposal leaves out ACL rules, tokens, roles and policies:';

/** What an import found. */
export interface Imported {
  readonly proposal: Proposal;
  readonly aclProposal: Pick<AclProposal, 'rules' | 'explained'>;
  readonly acl: readonly UnexplainedAcl[];
  /** Why the ACL objects could not be read. */
  readonly aclTrouble: string | undefined;
  readonly defaultPolicy: DefaultPolicy;
  readonly config: ClaimConfig & Pick<Config, 'owner'>;
}

export function importSummary({ proposal, aclProposal, acl }: Imported) {
  const { explained, unexplained, rules, claims } = proposal;
  return {
    intentions: explained.length + unexplained.length,
    explained: explained.length,
    unexplained: unexplained.length,
    rules: rules.length,
    aclRules: aclProposal.rules.length,
    /** Claims that nobody made or named yet. */
    guesses: claims.filter(
      ({ evidence }) => evidence === 'pattern' || evidence === 'name' || evidence === 'token',
    ).length,
    claimsToMake: claims.filter(({ needsMeta, needsAttribute }) => needsMeta || needsAttribute).length,
    /** Static tokens that a login of their client would replace. */
    tokensExplained: aclProposal.explained.size,
    aclObjects: acl.length,
  };
}

/** The document of `--json`. */
export function importDocument(imported: Imported, files: readonly string[]) {
  const { proposal, aclProposal, acl, aclTrouble, defaultPolicy } = imported;
  return {
    files,
    summary: importSummary(imported),
    defaultPolicy,
    rules: proposal.rules.map(({ rule: { userRequired: _, ...rule }, evidence }) => ({ ...rule, evidence })),
    claims: proposal.claims.map((claim) => ({
      service: placeText(claim.service),
      ...claim.client,
      evidence: claim.evidence,
      isRegistered: claim.isRegistered,
      meta: metaOf(claim, imported.config) ?? null,
      attribute: attributeOf(claim, proposal) ?? null,
    })),
    lines: confirmLines(proposal, imported.config),
    explained: proposal.explained.map(({ source, destination, access, client, scopes, hold }) => ({
      source: placeText(source),
      destination: placeText(destination),
      access: accessText(access),
      client,
      scopes,
      hold: hold ?? null,
    })),
    unexplained: proposal.unexplained.map(({ source, destination, reason, detail }) => ({
      source: placeText(source),
      destination: placeText(destination),
      reason,
      detail,
    })),
    unusedScopes: proposal.unusedScopes,
    aclRules: aclProposal.rules.map(({ rule: { userRequired: _, ...rule }, evidence, proofs }) => ({
      ...rule,
      evidence,
      proofs,
    })),
    explainedTokens: [...aclProposal.explained].map(([accessorId, explained]) => ({
      accessorId,
      ...explained,
    })),
    acl,
    aclTrouble: aclTrouble ?? null,
  };
}

/** `web`, or `partition/namespace/web` outside the default ones. */
export function placeText({ partition, namespace, name }: ServiceName): string {
  return partition === 'default' && namespace === 'default' ? name : `${partition}/${namespace}/${name}`;
}
