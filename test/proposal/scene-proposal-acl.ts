import type { AclSnapshot, AclToken } from '../../src/model/acl.js';
import type { OAuthClient } from '../../src/model/client.js';
import type { Mapping } from '../../src/model/rule.js';
import type { AclFacts } from '../../src/proposal/acl-holders.js';
import type { ClaimEvidence, ProposedClaim } from '../../src/proposal/proposal.js';
import { type AclProposal, proposeAcl } from '../../src/proposal/propose-acl.js';
import { ISSUER, loginProvider, READ_CONFIG, settings } from '../acl/plan/acl-scene.js';
import { mapping, NOW, named, scene, worldOf } from '../plan/scene.js';

export const acl = settings({
  login: false,
  providers: new Map([['main', loginProvider({ scopes: { claim: ['scopes'], isList: true } })]]),
});

const stored = <T>(object: T) => ({ id: 'id', object, isAltered: false, modifyIndex: 1 });
export const policyOf = (name: string, rules: string) => stored({ name, description: '', rules });
export const roleOf = (name: string, policies: readonly string[]) =>
  stored({ name, description: '', policies, serviceIdentities: [] });
const OBJECTS: AclSnapshot = {
  policies: [
    policyOf('config-read', READ_CONFIG),
    policyOf('vault', 'service "vault" { policy = "write" }'),
    policyOf('odd', 'namespace "team" { policy = "write" }'),
  ],
  roles: [roleOf('web', ['config-read']), roleOf('reader', ['config-read'])],
  authMethods: [],
  bindingRules: [],
};

export interface Given {
  readonly clients: readonly OAuthClient[];
  readonly tokens?: readonly AclToken[];
  readonly objects?: Partial<AclSnapshot>;
  readonly mapping?: Partial<Mapping>;
  readonly claims?: readonly ProposedClaim[];
}

export function proposed(given: Given): AclProposal {
  const facts: AclFacts = { tokens: given.tokens ?? [], objects: { ...OBJECTS, ...given.objects } };
  const from = scene({ clients: given.clients, mapping: mapping({ acl, ...given.mapping }) });
  return proposeAcl(facts, given.claims ?? [], {
    mapping: from.mapping,
    world: worldOf(from),
    canWrite: () => true,
    now: NOW,
  });
}

export const claimOf = (
  service: string,
  evidence: ClaimEvidence = 'claim',
  clientId = 'web',
): ProposedClaim => ({
  service: named(service),
  client: { provider: 'main', clientId },
  evidence,
  needsMeta: false,
  needsAttribute: false,
  named: [service],
  isRegistered: true,
});
export const login = (
  bindingRule: string,
  claims: Readonly<Record<string, Readonly<Record<string, string>>>>,
) => ({
  authMethods: [
    stored({
      name: 'sso',
      description: '',
      maxTokenTtlSeconds: 0,
      config: {
        boundIssuer: ISSUER,
        boundAudiences: [],
        signingAlgorithms: [],
        claimMappings: {},
        listClaimMappings: {},
        ...claims,
      },
    }),
  ],
  bindingRules: [
    stored({
      description: '',
      authMethod: 'sso',
      bindType: 'role' as const,
      bindName: 'reader',
      selector: bindingRule,
    }),
  ],
});
