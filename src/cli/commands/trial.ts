import { isoInstant, systemClock } from '../../clock.js';
import { configError, type SyncError } from '../../errors.js';
import type { Mode } from '../../model/rule.js';
import { mergeHolds } from '../../plan/holds.js';
import { jwtProviderFacts, jwtProviderSubject } from '../../plan/jwt-provider-change.js';
import { type Hold, holdOf, toHold } from '../../plan/plan.js';
import type { FleetPlan } from '../../reconcile/fleet-plan.js';
import { nowIn } from '../../trail/answer.js';
import { type LoggedCall, parseLoggedCall } from '../../trail/calls/logged-call.js';
import { trial as tryOut } from '../../trail/trial/trial.js';
import { linesOf, parseLine } from '../access-log-lines.js';
import type { Cli } from '../cli.js';
import { defineCommand, files, option } from '../command.js';
import { parseInstant } from '../instant.js';
import { type CurrentState, withCurrentState } from '../load-current-state.js';
import { planSides } from '../plan-sides.js';
import { printTrial } from '../terminal/trial-text.js';
import { learnUnrecorded } from '../unrecorded-edges.js';
import { FROM_TOPIC, withTrail } from '../with-trail.js';

const NO_DAEMON =
  'No daemon answers on this machine, so the decision log may miss what enforcing would have done until now.';

export const trial = defineCommand({
  name: 'trial',
  summary: 'show what enforcing would have broken while mode was observe',
  description:
    'Reads what the daemon planned in mode observe from the decision log, and the present plan, and shows each edge ' +
    'that enforcing would close, narrow or open, since when, and whether it still would. With access logs of Envoy ' +
    'it counts the requests that enforcing would refuse, and the requests that only intentions of others ' +
    'let through. It shows which ACL objects (logins, rights, tokens) enforcing would take away by the present plan. ' +
    'It writes nothing, and may run beside the daemon.',
  takes: {
    fromTopic: FROM_TOPIC,
    from: option(
      '<when>',
      'an instant (2026-01-31T12:00:00Z) or an age (12h, 3d); default: since the last write to Consul, 7d at most',
      parseInstant,
    ),
    logs: files('access logs, one JSON object per line; - for the standard input'),
  },
  json: 'print one JSON document',
  exit: `0 if enforcing would now take away no call between services, no request of the logs and no ACL
object; 1 if it would, and on error.`,
  examples: [
    'scopemesh trial',
    'scopemesh trial --from 14d --logs /var/log/envoy/*.json',
    `scopemesh trial --json | jq '.edges[] | select(.isStill and .effect == "closes")'`,
  ],
  async ask({ from, logs, fromTopic }, cli) {
    const { mode } = await cli.openConfig();
    if (mode !== 'observe') throw nothingToTry(mode);
    return withCurrentState(cli, async (sides) => {
      const holds = await presentHolds(sides, cli);
      const { world, consul } = sides;
      const { defaultPolicy } = await consul.inspect(cli.signal);
      const { owner, select } = world.mapping;
      const mesh = { owner, select, entries: world.entries, defaultPolicy };
      return withTrail(cli, { fromTopic }, async (trail) => {
        const at = await nowIn(trail, isoInstant(systemClock));
        const answer = await tryOut(trail, { from, at, holds, mesh, calls: logs && callsIn(logs, cli) });
        const isSilent = sides.daemon === undefined && fromTopic === undefined;
        return isSilent ? { ...answer, unknown: [...answer.unknown, NO_DAEMON] } : answer;
      });
    });
  },
  print: (answer, { screen }) => printTrial(answer, screen),
  status: ({ isBreaking }) => (isBreaking ? 1 : 0),
});

function nothingToTry(mode: Exclude<Mode, 'observe'>): SyncError {
  const instead =
    mode === 'enforce'
      ? 'scopemesh plan shows what is pending, and scopemesh access diff what changed'
      : 'scopemesh plan shows what extend holds back (ModeForbids)';
  return configError(
    `scopemesh trial needs mode observe, and mode is ${mode}, in which scopemesh writes: ${instead}`,
  );
}

/**
 * The plan of mode enforce, as holds: a plan of mode observe lacks jwt-providers, and the edges that wait for them.
 */
async function presentHolds(sides: CurrentState, cli: Cli): Promise<readonly Hold[]> {
  const { world } = sides;
  world.setMapping({ ...world.mapping, mode: 'enforce' });
  const holds = toHolds(await planSides(sides));
  const isChanged = await learnUnrecorded(
    sides,
    holds.map(({ before }) => ({ before })),
    cli,
  );
  return isChanged ? toHolds(await planSides(sides)) : holds;
}

function toHolds({ holds, changes, acl, jwtProviders }: FleetPlan): readonly Hold[] {
  return mergeHolds([
    ...holds,
    ...changes.map((change) => toHold(change, 'ModeForbids', NOT_WRITTEN)),
    ...acl.changes.map((change) => holdOf(change, 'ModeForbids', NOT_WRITTEN)),
    ...jwtProviders.map((change) => {
      const { action, reason: changeReason, resource } = jwtProviderFacts(change);
      const subject = jwtProviderSubject(change.name);
      return {
        subject,
        resource,
        reason: 'ModeForbids' as const,
        changeReason,
        detail: NOT_WRITTEN,
        action,
        scopes: [],
      };
    }),
  ]);
}

const NOT_WRITTEN = 'mode is observe: nothing is written';

async function* callsIn(files: readonly string[], cli: Cli): AsyncIterable<LoggedCall | undefined> {
  for await (const line of linesOf(files, cli)) {
    const entry = parseLine(line);
    yield entry && parseLoggedCall(entry);
  }
}
