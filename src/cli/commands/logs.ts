import { toMapping } from '../../../config/mapping-revision.js';
import { ruleNames } from '../../app/rule-names.js';
import { systemClock } from '../../clock.js';
import type { Trail } from '../../decisions/trail.js';
import { messageOf } from '../../errors.js';
import { type AttributedCall, createAttribution, type NamedRules } from '../../trail/calls/attribute-call.js';
import { parseLoggedCall } from '../../trail/calls/logged-call.js';
import { linesOf, MAX_LINE_LENGTH, parseLine } from '../access-log-lines.js';
import type { BoundedLine } from '../bounded-lines.js';
import type { Cli } from '../cli.js';
import { defineCommand, option, severalArguments } from '../command.js';
import { parseInstant } from '../instant.js';
import { FROM_TOPIC, withTrail } from '../with-trail.js';

const INDEX_WAIT_MS = 500;
/** Of a line that is no JSON object. */
const SHOWN = 1024;
/** A decision is in the log this long after its instant, unless the log is out of reach, nobody leads, or after a crash. */
const SETTLED_MS = 2_000;

export const logs = defineCommand({
  name: 'logs',
  summary: 'add to each line of an Envoy access log who called, and by which decision',
  description:
    'Reads Envoy access logs, one JSON object per line, and prints each line with the field scopemesh: the calling ' +
    'and the called service, the OAuth client with its actor kind, the scopes, the rules and the decision in ' +
    'force when the request began. A line that is no JSON object is printed in the field line. A line is printed ' +
    'once it is 2 s old, so that its decision is in the log; with no leader, or while Kafka is down, decisions are ' +
    'later. scopemesh doctor prints the access log format that this needs.',
  takes: {
    file: severalArguments('access logs; - or none for the standard input', '[...]'),
    since: option('<when>', 'leave out lines before this instant or age (10m, 2h, 1d)', parseInstant),
    fromTopic: FROM_TOPIC,
  },
  json: 'the only form of the output: one JSON object per line',
  examples: [
    `scopemesh logs access.log | jq 'select(.scopemesh.client.actorKind == "agent")'`,
    'tail -F access.log | scopemesh logs',
  ],
  // ctrl-c is the normal end of `tail -F access.log | scopemesh logs`.
  isEndless: true,
  run: ({ file, since, fromTopic }, cli) => annotate(file, since, fromTopic, cli),
});

async function annotate(
  files: readonly string[],
  since: string | undefined,
  fromTopic: true | undefined,
  cli: Cli,
): Promise<void> {
  const rules = await readRules(cli);
  const counts = { strange: 0 };
  // The copy of a topic ends where it was made, so the instant is one before it.
  const copied = fromTopic ? horizon(systemClock.now()) : undefined;
  await withTrail(cli, { fromTopic }, async (trail) => {
    const attribute = await createAttribution(trail, rules);
    for await (const line of linesOf(files, cli)) {
      const entry = parseLine(line);
      const passOn = () => {
        counts.strange++;
        cli.screen.jsonLine({ line: line.text.slice(0, SHOWN), scopemesh: unreadable(line) });
      };
      if (entry === undefined) {
        passOn();
        continue;
      }
      const call = parseLoggedCall(entry);
      if (since !== undefined && call.at !== undefined && call.at < since) continue;
      const scopemesh: AttributedCall = await attribute(
        call,
        copied ?? (await horizonAfter(call.at, trail, cli.signal)),
      );
      try {
        cli.screen.jsonLine({ ...entry, scopemesh });
      } catch (error) {
        // What JSON.parse reads may be nested too deeply for JSON.stringify.
        if (!(error instanceof RangeError)) throw error;
        passOn();
      }
    }
  });
  const { strange } = counts;
  if (strange === 1) cli.screen.warn('scopemesh: 1 line is not a JSON object');
  if (strange > 1) cli.screen.warn(`scopemesh: ${strange} lines are not JSON objects`);
}

/** Without a configuration that can be read, no rule is named. */
async function readRules(cli: Cli): Promise<NamedRules | undefined> {
  try {
    const mapping = toMapping(await cli.openConfig());
    return { mapping, names: ruleNames(mapping.rules) };
  } catch (error) {
    cli.screen.warn(`scopemesh: no rules are named: ${messageOf(error)}`);
    return undefined;
  }
}

function unreadable({ isCut }: BoundedLine) {
  return {
    unknown: [isCut ? `the line has more than ${MAX_LINE_LENGTH} characters` : 'the line is no JSON object'],
  };
}

/** The instant up to which the decisions are in a log with what was published at another one, in milliseconds. */
function horizon(published: number): string {
  return new Date(published - SETTLED_MS).toISOString();
}

/** The horizon, once it is after an instant: an index of a topic is a few seconds behind. */
async function horizonAfter(at: string | undefined, trail: Trail, signal: AbortSignal): Promise<string> {
  if (at !== undefined) await settled(at, signal);
  for (;;) {
    const { index } = await trail.extent();
    const now = systemClock.now();
    const found = horizon(index === undefined ? now : Math.min(now, Date.parse(index.until)));
    const isWorthWaiting = at !== undefined && at > found && at <= horizon(now);
    if (!isWorthWaiting || index?.isBehind !== false) return found;
    await systemClock.sleep(INDEX_WAIT_MS, signal);
  }
}

/** A line of a clock that is ahead is not waited for. */
async function settled(at: string, signal: AbortSignal): Promise<void> {
  const wait = Date.parse(at) + SETTLED_MS + 1 - systemClock.now();
  if (wait > 0 && wait <= SETTLED_MS + 1) await systemClock.sleep(wait, signal);
}
