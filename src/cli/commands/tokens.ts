import { isStatic } from '../../acl/plan/token-report.js';
import { insteadOf, readTokens, tokenView } from '../../app/read-tokens.js';
import { systemClock } from '../../clock.js';
import { defineCommand, flag } from '../command.js';
import { type CurrentState, withCurrentState } from '../load-current-state.js';
import { printTokens } from '../terminal/tokens-text.js';

export const tokens = defineCommand({
  name: 'tokens',
  summary: 'list the ACL tokens of Consul, and the logins that could replace static ones',
  description:
    'Lists the ACL tokens of Consul: their kind (login, static, anonymous or management), age, expiry and ' +
    'permissions, and an OAuth client that gets at least the same permissions by logging in. Never shows secrets. ' +
    'If a provider cannot be read, its clients are not checked. Changes nothing. The token of scopemesh needs ' +
    'acl = "read".',
  takes: { static: flag('list only static tokens') },
  json: 'print one JSON document: tokens and summary',
  exit: '0; 1 on error or if the list is incomplete.',
  examples: [
    'scopemesh tokens',
    'scopemesh tokens --static',
    "scopemesh tokens --json | jq -r '.tokens[] | select(.replaceableBy != []) | .accessorId'",
  ],
  ask(given, cli) {
    const unread = new Map<string, string>();
    const read = async ({ consul, world, acl }: CurrentState) => {
      const known = { consul, world, acl, clock: systemClock };
      const { reports: all, counts, ownId, rulesTrouble } = await readTokens(known, cli.signal);
      const reports = all.filter(({ kind }) => given.static !== true || isStatic(kind));
      const facts = { now: systemClock.now(), ownId, rulesTrouble, unread };
      return { reports, counts, facts, owner: world.mapping.owner };
    };
    return withCurrentState(cli, read, {
      onUnread: (provider, error) => unread.set(provider, error.message),
    });
  },
  document: ({ reports, counts, facts: { ownId, rulesTrouble, unread }, owner }) => ({
    tokens: reports.map((report) => ({
      ...tokenView(report, { owner, ownId }),
      instead: insteadOf(report, unread.size === 0) ?? null,
    })),
    summary: counts,
    rulesTrouble: rulesTrouble ?? null,
    unreadProviders: Object.fromEntries(unread),
  }),
  print: ({ reports, counts, facts }, { screen }) => printTokens(reports, counts, facts, screen),
});
