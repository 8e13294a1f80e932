import { compareText } from '../model/compare-text.js';
import type { Rule } from '../model/rule.js';
import { assignScopes } from './assign-scopes.js';
import { toCallers, withoutWiderClaims } from './callers.js';
import { explainEdges } from './explain-edges.js';
import { foldPatterns } from './fold-patterns.js';
import { type Edge, type Proposal, type ProposalInput, scopeText } from './proposal.js';
import { proposeClaims } from './propose-claims.js';
import { readEdges } from './read-edges.js';
import { scopeHolders } from './scope-holders.js';

/**
 * Finds the mapping and the claims that explain most of the intentions. A rule is proposed only if each service that would
 * gain by it is allowed the same by an exact intention now. So with all proposed claims and rules nothing opens that Consul
 * does not allow now. The order of the input does not matter.
 */
export function propose(input: ProposalInput): Proposal {
  const { edges, unusable } = readEdges(input);
  const claims = withoutWiderClaims(proposeClaims(input, edges), edges, input);
  const callers = toCallers(edges, claims, input);
  const holders = scopeHolders(callers.holding, input.mapping);
  const { rules: single, unusedScopes } = assignScopes(holders, callers, input);
  const rules = foldPatterns(single, input);
  const { explained, unexplained } = explainEdges(rules, unusedScopes, { edges, claims, input });
  return {
    rules: rules.toSorted((a, b) => compareText(ruleText(a.rule), ruleText(b.rule))),
    claims: claims.proposed,
    explained: explained.toSorted(byEdge),
    unexplained: [...unusable, ...unexplained].toSorted(byEdge),
    unusedScopes: unusedScopes.toSorted((a, b) => compareText(scopeText(a), scopeText(b))),
  };
}

function ruleText(rule: Rule): string {
  return JSON.stringify([rule.scope, rule.provider, rule.api, rule.to, rule]);
}

function byEdge(a: Edge, b: Edge): number {
  return compareText(edgeText(a), edgeText(b));
}

function edgeText({ source, destination }: Edge): string {
  return JSON.stringify([destination, source]);
}
