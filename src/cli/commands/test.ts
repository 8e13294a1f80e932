import { loadCases, type MappingCase } from '../../../config/cases.js';
import { loadMapping } from '../../../config/load.js';
import { toMapping } from '../../../config/mapping-revision.js';
import { accessText } from '../../app/access-text.js';
import { ruleNames } from '../../app/rule-names.js';
import type { OAuthClient } from '../../model/client.js';
import type { Rule } from '../../model/rule.js';
import { type CallVerdict, createJudge, type JudgedCall, type RuleVerdict } from '../../plan/judge-call.js';
import { destinationsOfScope } from '../../plan/openings.js';
import { defineCommand, severalArguments } from '../command.js';
import { printable, type Screen } from '../terminal/screen.js';

/** A case with what the mapping says about it. */
export interface JudgedCase {
  readonly of: MappingCase;
  readonly verdict: CallVerdict;
  readonly hasPassed: boolean;
}

export const test = defineCommand({
  name: 'test',
  summary: 'check the mapping against examples, without any server',
  description:
    'Runs cases that say which call the mapping must allow or deny, and says which rule decides each. Reads only ' +
    'files: no server, no secret and no environment variable is needed.',
  takes: {
    file: severalArguments(
      'files with cases; without one, the file beside the configuration: scopemesh.test.yaml for scopemesh.yaml',
      '[...]',
    ),
  },
  json: 'print one JSON document: cases and summary',
  exit: '0 if every case passes; 1 if one fails or a file is not valid.',
  notes: `A file of cases:
  clients:
    web-app: { services: [web], scopes: ["orders:read"], grantTypes: [authorization_code] }
    agent-x: { services: [agent-x], scopes: ["billing:connect"], attributes: { actor: agent } }
  cases:
    - allow: web -> orders GET /v1/orders as human
    - deny: agent-x -> billing`,
  examples: [
    'scopemesh test',
    'scopemesh test -c scopemesh.yaml cases/*.yaml',
    "scopemesh test --json | jq '.cases[] | select(.passed | not)'",
  ],
  async ask({ file }, cli) {
    const load = cli.loadOptions();
    const config = await loadMapping(load);
    const paths = file.length === 0 ? [besideOf(load.path)] : file;
    const cases: MappingCase[] = [];
    const mapping = toMapping(config);
    const opensOf = (clients: readonly OAuthClient[]) => [
      ...mapping.rules.flatMap(({ to }) => to ?? []),
      ...mapping.protectedServices,
      ...clients.flatMap(({ provider, grants }) =>
        grants.flatMap((grant) => [...destinationsOfScope(provider, grant, mapping)]),
      ),
    ];
    for (const path of paths) cases.push(...(await loadCases({ ...load, path }, config, opensOf)));
    const judge = createJudge(mapping);
    const judged = cases.map((of): JudgedCase => {
      const verdict = judge(of.call);
      return {
        of,
        verdict,
        hasPassed: !verdict.isUnclear && verdict.isAllowed === (of.expects === 'allow'),
      };
    });
    return { judged, names: ruleNames(mapping.rules) };
  },
  document: ({ judged, names }) => toDocument(judged, names),
  print: ({ judged, names }, { screen }) => print(judged, names, screen),
  status: ({ judged }) => (judged.every(({ hasPassed }) => hasPassed) ? 0 : 1),
});

/** `dir/scopemesh.test.yaml` for `dir/scopemesh.yaml`. */
function besideOf(path: string): string {
  return `${path.replace(/\.(ya?ml|json)$/, '')}.test.yaml`;
}

type Names = ReturnType<typeof ruleNames>;

function print(judged: readonly JudgedCase[], names: Names, screen: Screen): void {
  const { colors } = screen;
  for (const { of, verdict, hasPassed } of judged) {
    const mark = hasPassed ? colors.green('ok    ') : colors.red('FAILED');
    const where = hasPassed ? '' : colors.dim(`  ${printable(`${of.file}:${of.line}`)}`);
    screen.line(`${mark}  ${printable(of.text)}${where}`);
    screen.line(`        ${printable(verdictText(of.call, verdict))}`);
    for (const text of rulesText(verdict, names)) screen.line(`        ${printable(text)}`);
  }
  const failed = judged.filter(({ hasPassed }) => !hasPassed).length;
  screen.line();
  screen.line(colors.bold(`${judged.length - failed} passed, ${failed} failed.`));
}

function toDocument(judged: readonly JudgedCase[], names: Names) {
  const failed = judged.filter(({ hasPassed }) => !hasPassed).length;
  return {
    cases: judged.map(({ of, verdict, hasPassed }) => ({
      file: of.file,
      line: of.line,
      case: of.text,
      expected: of.expects,
      passed: hasPassed,
      allowed: verdict.isAllowed,
      client: { provider: of.call.client.provider, clientId: of.call.client.clientId },
      actorKind: verdict.actorKind,
      isProtected: verdict.isProtected,
      rules: verdict.rules.map(({ rule, outcome, scope }) => ({
        rule: names.get(rule) ?? rule.scope,
        scope,
        outcome,
      })),
    })),
    summary: { passed: judged.length - failed, failed },
  };
}

/** `allowed for client main/web-app (human)`, or why no rule allows it. */
function verdictText({ client, destination }: JudgedCall, verdict: CallVerdict): string {
  const who = `client ${client.provider}/${client.clientId} (${verdict.actorKind})`;
  if (verdict.isAllowed) return `allowed to ${who}`;
  if (verdict.isProtected) return `denied: guards.protected lists ${destination}`;
  if (verdict.isUnclear) return `unclear for ${who}: only Envoy can judge an expression of the rule`;
  const scopes = client.grants.map(({ name }) => name).join(' ');
  if (verdict.rules.length === 0)
    return `denied: no rule opens ${destination} for ${scopes === '' ? 'a client without scopes' : `the scopes ${scopes}`} of ${who}`;
  return `denied to ${who}`;
}

/** One line for each rule that decides: the rules that open the call, or otherwise the rules that nearly do. */
function rulesText(
  { isAllowed, isProtected, actorKind, rules }: CallVerdict,
  names: ReadonlyMap<Rule, string>,
): readonly string[] {
  if (isProtected) return [];
  return rules
    .filter(({ outcome }) => !isAllowed || outcome === 'opens')
    .map((each) => `${names.get(each.rule) ?? each.rule.scope} ${outcomeText(each, actorKind)}`);
}

function outcomeText(
  { outcome, access, scope, needsUser }: RuleVerdict,
  kind: CallVerdict['actorKind'],
): string {
  switch (outcome) {
    case 'opens':
      return `opens ${accessText(access)} (scope ${scope})${needsUser ? " with a user's token" : ''}`;
    case 'needs-user':
      return `opens ${accessText(access)} (scope ${scope}), but only with a user's token`;
    case 'other-request':
      return `opens only ${accessText(access)} (scope ${scope})`;
    case 'unclear':
      return `opens ${accessText(access)} (scope ${scope}), and scopemesh cannot judge this expression of RE2`;
    case 'limited':
      return `is closed to the actor kind ${kind} (scope ${scope})`;
    case 'held':
      return `would open a destination that is not a plain service name, which is held (scope ${scope})`;
  }
}
