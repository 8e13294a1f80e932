import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Config } from '../../../config/config.js';
import { loadConfig, loadWithoutMapping, readConfigText } from '../../../config/load.js';
import { changedSections, isWritableRule, toProposedText } from '../../../config/proposed-file.js';
import { systemClock } from '../../clock.js';
import { configError, SyncError } from '../../errors.js';
import { parseClientText, type World } from '../../plan/world.js';
import { clientsByToken } from '../../proposal/acl-holders.js';
import { propose } from '../../proposal/propose.js';
import { proposeAcl } from '../../proposal/propose-acl.js';
import { clientsOf, nameOf } from '../../proposal/propose-claims.js';
import type { Cli } from '../cli.js';
import { defineCommand, flag, option, preset } from '../command.js';
import { importDocument, importSummary, LEFT_OUT } from '../import-view.js';
import { withCurrentState } from '../load-current-state.js';
import { parseClientPattern } from '../option-values.js';
import { writePrivateFiles } from '../private-files.js';
import { readAclFacts, unexplainedAcl } from '../read-unexplained-acl.js';
import { importMarkdown } from '../terminal/import-markdown.js';

const NO_ACL = {
  tokens: [],
  objects: { policies: [], roles: [], authMethods: [], bindingRules: [] },
} as const;

const CONFIG_FILE = 'scopemesh.yaml';
const REPORT_FILE = 'report.md';

export const importMapping = defineCommand({
  name: 'import',
  summary: 'propose a mapping from what Consul and the identity providers have now',
  description:
    'Reads the intentions and ACL objects of Consul and the clients of the identity providers completely. Writes two ' +
    'files: a configuration with rules that explain the intentions and the static ACL tokens, and a report with the ' +
    'claims to make, what each rule explains, and what no scope explains, with the reason. The rules open nothing that ' +
    'Consul does not allow now. For a service without a claim it guesses the client: by --client, by an equal name, or by a ' +
    'static token of the service whose Description or role names a client. The report marks each guess, and has the lines ' +
    'that confirm it at the identity provider, also as Terraform, and in Consul. An acl: rule needs a proof for each ' +
    'client with the scope: a static token whose Description is CLIENT_ID or "token of CLIENT_ID" or has ' +
    'client=CLIENT_ID, which has a role of this name, or whose services all have a claim on the client; or a binding ' +
    'rule for a login with the audience of the provider. The report names each proof: check it. Changes nothing in ' +
    'Consul. The configuration file needs consul and providers alone; rules that it has are kept. Without acl = "read" ' +
    'the token of scopemesh cannot read ACL objects: the proposal then leaves them out and says so.',
  takes: {
    out: preset(
      '<directory>',
      'the directory for scopemesh.yaml and report.md; created if it does not exist',
      './scopemesh-import',
      String,
    ),
    client: option(
      '<pattern>',
      'guess the client of each service without a claim by the ID or name of the client: "{service}-client"',
      parseClientPattern,
    ),
    force: flag('overwrite these files'),
  },
  json: 'also print the proposal as one JSON document',
  exit: '0; 1 on error, or if a side cannot be read completely.',
  examples: [
    'scopemesh import --out proposal',
    'scopemesh import --out proposal --client "{service}-client"',
    'scopemesh -c proposal/scopemesh.yaml validate',
    "scopemesh import --out proposal --force --json | jq '.summary'",
  ],
  async ask({ client, out, force }, cli) {
    const paths = [CONFIG_FILE, REPORT_FILE].map((name) => join(out, name));
    const existing = paths.find((path) => existsSync(path));
    if (existing !== undefined && force !== true)
      throw configError(
        `${existing} exists; name another directory with --out, or add --force to overwrite it`,
      );
    const load = cli.loadOptions();
    const { config, source } = await loadWithoutMapping(load);
    const path = join(out, CONFIG_FILE);
    if (existsSync(path) && realpathSync(path) === realpathSync(source))
      throw configError(`${path} is the configuration that import reads; name another directory with --out`);
    const text = await readConfigText(load);
    const found = await withCurrentState(
      cli,
      async ({ world, consul }) => {
        const now = systemClock.now();
        const view = world.view(now);
        refuseUnreadable(view);
        const { claimGraceMs, clientMeta, clientTag } = config.services;
        const { mapping } = world;
        const canWrite = createCheck(config);
        const { aclsEnabled, defaultPolicy } = await consul.inspect(cli.signal);
        const read = aclsEnabled ? await readAclFacts(consul, cli.signal) : NO_ACL;
        const aclTrouble = 'trouble' in read ? read.trouble : undefined;
        const facts = 'trouble' in read ? NO_ACL : read;
        const proposal = propose({
          mapping,
          settings: { claimGraceMs, clientMeta, clientTag },
          world: view,
          entries: world.entries.values(),
          clientPattern: client,
          clientsByToken: clientsByToken(facts, { mapping, clients: clientsOf(view), now }),
          canWrite,
        });
        const aclProposal = proposeAcl(facts, proposal.claims, { mapping, world: view, canWrite, now });
        const acl = await unexplainedAcl(facts, aclProposal, now, cli.signal);
        return { proposal, aclProposal, acl, aclTrouble, defaultPolicy };
      },
      { open: async () => config },
    );
    const facts = { ...found, config };
    const rules = [...found.proposal.rules, ...found.aclProposal.rules].map(({ rule }) => rule);
    const proposed = toProposedText(text, rules, { from: dirname(source), to: resolve(out) });
    // What is written must be valid: the names of scopes and the paths of intentions come from outside.
    const { config: proposal } = await loadConfig({
      ...load,
      path,
      readFile: async (each) => (each === resolve(path) ? proposed : await load.readFile(each)),
    });
    const changed = changedSections(config, proposal);
    if (changed.length > 0)
      throw configError(
        `a relative path under ${changed.join(' and ')} begins with a variable, so it would lead elsewhere from ${out}; make it absolute`,
      );
    await writePrivateFiles(
      out,
      new Map([
        [CONFIG_FILE, proposed],
        [REPORT_FILE, importMarkdown(facts)],
      ]),
      { overwrite: force === true },
    );
    return { facts, written: paths };
  },
  document: ({ facts, written }) => importDocument(facts, written),
  print: ({ facts, written }, cli) => print(facts, written, cli),
});

/** A client that cannot be read may have any scope, and rules that fit the others could open more for it. */
function refuseUnreadable({ unreadable, unnamed }: World): void {
  const [first] = unreadable;
  const [provider] = unnamed.keys();
  if (first === undefined && provider === undefined) return;
  const which =
    first === undefined
      ? `a client of provider ${provider} has no readable ID`
      : `the record of client ${nameOf(parseClientText(first))} cannot be read`;
  throw new SyncError(
    'ERR_DIRECTORY_INCOMPLETE',
    `${which}, and its scopes decide which rules are safe; correct it at the identity provider (scopemesh doctor says what is wrong)`,
    { retriable: false },
  );
}

/** Rules are checked again for each permission and each destination; most are equal. */
function createCheck(config: Config): Parameters<typeof propose>[0]['canWrite'] {
  const known = new Map<string, boolean>();
  return (rule) => {
    const key = JSON.stringify(rule);
    const answer = known.get(key) ?? isWritableRule(rule, config);
    known.set(key, answer);
    return answer;
  };
}

function print(facts: Parameters<typeof importMarkdown>[0], files: readonly string[], { screen }: Cli): void {
  const {
    intentions,
    explained,
    unexplained,
    rules,
    aclRules,
    claimsToMake,
    guesses,
    tokensExplained,
    aclObjects,
  } = importSummary(facts);
  screen.line(`Intentions: ${intentions}. Explained by scopes: ${explained}. Not explained: ${unexplained}.`);
  screen.line(
    `Rules: ${rules}. ACL rules: ${aclRules}. Claims to make: ${claimsToMake}, of which ${guesses} are guesses to check.`,
  );
  screen.line(
    `ACL tokens that a login would replace: ${tokensExplained}. ACL objects that no rule explains: ${aclObjects}.`,
  );
  if (facts.aclTrouble !== undefined) screen.warn(`${LEFT_OUT} ${facts.aclTrouble}.`);
  if (facts.defaultPolicy === 'allow')
    screen.warn('The mesh allows what no intention denies; scopemesh needs a default policy of deny.');
  screen.text(`Wrote ${files.join(' and ')}. Read the report before you use the configuration.`);
}
