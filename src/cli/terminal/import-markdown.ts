import { accessText } from '../../app/access-text.js';
import type { Rule } from '../../model/rule.js';
import { accessOf } from '../../plan/openings.js';
import type { ClaimEvidence, RuleEvidence } from '../../proposal/proposal.js';
import type { AclEvidence, RuleProof } from '../../proposal/propose-acl.js';
import { attributeOf, confirmLines, metaOf, type ProviderLines } from '../confirm-lines.js';
import { type Imported, importSummary, LEFT_OUT, placeText } from '../import-view.js';
import { clientCode, code, table } from './markdown.js';

/** Of each table. */
const MAX_CHARACTERS = 2_000_000;

const CLAIM_EVIDENCE: Readonly<Record<ClaimEvidence, string>> = {
  claim: 'the service claims the client',
  unconfirmed: 'the service claims the client, and nothing else says so: check it',
  attribute: 'the client names the service',
  pattern: 'a guess, its client fits `--client`: check it',
  name: 'a guess, both have the same name: check it',
  token: 'a guess, a static token of the service names the client: check it',
};

const RULE_EVIDENCE: Readonly<Record<RuleEvidence, string>> = {
  name: 'the scope names the service',
  api: 'the API of the scope names the service',
  callers: 'the services with the scope are exactly its callers: check it',
};

const ACL_EVIDENCE: Readonly<Record<AclEvidence, string>> = {
  policy:
    'the scope names the policy or what it is about, and each client with the scope has these rights: check it',
  holders: 'the clients with the scope are exactly those with these rights: check it',
  login: 'a binding rule of others gives it to tokens with the scope',
};

/** The report of an import. Every name from a server is in a code span. */
export function importMarkdown(imported: Imported): string {
  const { proposal, aclProposal, acl, aclTrouble, config, defaultPolicy } = imported;
  const { intentions, explained, unexplained } = importSummary(imported);
  const grid = (head: readonly string[], rows: readonly (readonly string[])[]) =>
    rows.length === 0 ? ['None.'] : table(head, rows, MAX_CHARACTERS);
  const scopeCells = ({ provider, scope, api }: Rule) =>
    [provider ?? config.providers[0]?.name ?? '', scope, api ?? ''].map(code);
  const toMake = proposal.claims.filter(({ needsMeta, needsAttribute }) => needsMeta || needsAttribute);
  const blocks = [
    `# Proposal for ${code(config.owner)}`,
    `Of ${intentions} intentions, ${explained} are explained by scopes, and ${unexplained} are not. The proposed rules open nothing that Consul does not allow now.`,
    ...(defaultPolicy === 'allow'
      ? [
          '**The default policy allows what no intention denies.** scopemesh closes nothing there. Set the default policy to deny first.',
        ]
      : []),
    ...(aclTrouble === undefined ? [] : [`**${LEFT_OUT}** ${code(aclTrouble)}.`]),
    '## Claims to make',
    'A service gets the access of a client only after it claims it. Register each service with its meta, and set the attribute of the client at the identity provider.',
    ...grid(
      ['service', 'client', 'why', 'service meta', 'client attribute `consul-services`'],
      toMake.map((claim) => [
        code(placeText(claim.service)) + (claim.isRegistered ? '' : ' (no instance)'),
        clientCode(claim.client),
        CLAIM_EVIDENCE[claim.evidence],
        Object.entries(metaOf(claim, config) ?? {})
          .map(([key, value]) => code(`${key} = ${JSON.stringify(value)}`))
          .join(' '),
        code(attributeOf(claim, proposal) ?? ''),
      ]),
    ),
    ...confirmBlocks(imported),
    '## Rules',
    'They are in `scopemesh.yaml` beside this report, with `mode: observe`.',
    ...grid(
      ['provider', 'scope', 'API', 'opens', 'access', 'why'],
      proposal.rules.map(({ rule, evidence }) => [
        ...scopeCells(rule),
        code(rule.to ?? ''),
        code(accessText(accessOf(rule))),
        RULE_EVIDENCE[evidence],
      ]),
    ),
    '## ACL rules',
    'A client with the scope may log in to Consul and gets these rights. `scopemesh plan` lists these logins. Each rule rests on its proofs: the ACL token that gives a client the rights now, and the text by which the token is of this client. If a text means something else, remove the rule.',
    ...grid(
      ['provider', 'scope', 'API', 'ACL rules', 'why', 'proofs'],
      aclProposal.rules.map(({ rule, evidence, proofs }) => [
        ...scopeCells(rule),
        code(rule.acl),
        ACL_EVIDENCE[evidence],
        proofs.map(proofText).join('; '),
      ]),
    ),
    '## Explained intentions',
    '`scopemesh adopt` takes these over, once the claims are made.',
    ...grid(
      ['source', 'destination', 'access', 'client', 'scopes', 'before adopt'],
      proposal.explained.map(({ source, destination, access, client, scopes, hold }) => [
        code(placeText(source)),
        code(placeText(destination)),
        code(accessText(access)),
        clientCode(client),
        code(scopes.join(' ')),
        hold === undefined ? '' : HELD[hold],
      ]),
    ),
    '## Intentions that no scope explains',
    'scopemesh leaves them as they are.',
    ...grid(
      ['source', 'destination', 'reason', 'why'],
      proposal.unexplained.map(({ source, destination, reason, detail }) => [
        code(placeText(source)),
        code(placeText(destination)),
        reason,
        code(detail),
      ]),
    ),
    '## Scopes without a rule',
    ...grid(
      ['provider', 'scope', 'API', 'reason', 'why'],
      proposal.unusedScopes.map(({ provider, scope, reason, detail }) => [
        code(provider),
        code(scope.name),
        code(scope.api ?? ''),
        reason,
        code(detail),
      ]),
    ),
    '## ACL tokens that a login would replace',
    'The text in the last column says whose token it is: check it. Delete the token once its client logs in.',
    ...grid(
      ['token', 'client', 'scopes', 'services, with `login: on`', 'proof'],
      [...aclProposal.explained].map(([accessorId, { client, scopes, services, proof }]) => [
        code(accessorId),
        clientCode(client),
        code(scopes.join(' ')),
        code(services.join(', ')),
        `${proof.by} ${code(proof.text)}`,
      ]),
    ),
    '## ACL objects that no rule explains',
    ...grid(
      ['object', 'name', 'Description', 'gives', 'why'],
      acl.map(({ kind, name, description, gives, detail }) => [
        kind,
        code(name),
        code(description),
        code(gives.join(', ')),
        code(detail),
      ]),
    ),
  ];
  return `${blocks.join('\n\n')}\n`;
}

const BESIDE: Readonly<Record<ProviderLines['kind'], string>> = {
  keycloak: 'The line keeps the other attributes of the client.',
  okta: '`okta` is the shell function of the page about Okta.',
  entra: 'The line replaces the notes of the service principal: add what they have.',
  auth0: 'The line keeps the other metadata of the client.',
  oidc: 'Add the attribute to these clients of the directory document.',
};

/** What to copy, once the claims are checked. */
function confirmBlocks({ proposal, config }: Imported): readonly string[] {
  const { providers, consul, left } = confirmLines(proposal, config);
  const lines = [...providers.flatMap((each) => each.lines), ...consul];
  if (lines.length + left.length === 0) return [];
  return [
    '## Lines that make the claims',
    'Check each guess first: the holder of the client gets what the service may call. Delete the lines of wrong guesses.',
    ...providers.flatMap(({ provider, kind, lines: each, terraform }) => [
      `At the identity provider ${code(provider)}. ${BESIDE[kind]}`,
      fenced(kind === 'oidc' ? 'json' : 'sh', each),
      ...(terraform.length === 0
        ? []
        : [
            'Or with Terraform: add the argument to the resource of the client, beside what the argument has.',
            fenced('hcl', terraform),
          ]),
    ]),
    ...(consul.length === 0
      ? []
      : ['In Consul: add the meta to the registration of each service.', fenced('hcl', consul)]),
    ...(left.length === 0
      ? []
      : [
          `These services have no lines, because a name has characters that could change what a line does: ${left.map(code).join(', ')}.`,
        ]),
  ];
}

function fenced(language: string, blocks: readonly string[]): string {
  return [`\`\`\`${language}`, ...blocks, '```'].join('\n');
}

function proofText({ client, kind, name, by, text }: RuleProof): string {
  const object = kind === 'acl-token' ? 'token' : 'auth method';
  const holder = client === undefined ? '' : `${clientCode(client)}: `;
  return `${holder}${object} ${code(name)}, ${by} ${code(text)}`;
}

const HELD = {
  LegacyEntry: 'the entry is of the old intentions API: write it as a config entry',
  EntryUnreadable: 'the entry cannot be read: repair it',
  ManagedElsewhere: 'another tool manages the entry: remove it there',
} as const;
