import { accessText } from '../../app/access-text.js';
import { countText } from '../../app/count-text.js';
import {
  REQUEST_OUTCOMES,
  type RequestCounts,
  type RequestOutcome,
} from '../../trail/trial/request-counts.js';
import type { TrialAnswer } from '../../trail/trial/trial.js';
import { isBreaking, type TrialEdge } from '../../trail/trial/trial-edges.js';
import type { TrialObject } from '../../trail/trial/trial-objects.js';
import { aclKindText, byText } from './plan-text.js';
import { columns, printable, type Screen } from './screen.js';
import { citation, edgeName, printLimits } from './trail-text.js';

/** Rows of each table of requests; `--json` has all. */
const MAX_ROWS = 20;

export function printTrial(answer: TrialAnswer, screen: Screen): void {
  const { edges, objects, foreign, requests, from } = answer;
  const { line, colors } = screen;
  line(colors.bold(`Trial of mode observe since ${from}`));
  const losses = edges.filter(isBreaking);
  const gains = edges.filter((edge) => !isBreaking(edge));
  printEdges('Enforcing would take access away', losses, screen);
  if (objects.length > 0) printObjects(objects, screen);
  printEdges('Enforcing would open', gains, screen);
  if (foreign.length > 0) {
    line();
    line(
      `Open by intentions of others beyond what the scopes give, and left as they are (${foreign.length}):`,
    );
    for (const row of columns(foreign.map((each) => [printable(edgeName(each)), accessText(each.access)])))
      line(`  ${row}`);
  }
  if (requests !== null) printRequests(requests, screen);
  printLimits(answer, screen);
}

function printEdges(title: string, edges: readonly TrialEdge[], screen: Screen): void {
  const { line, colors } = screen;
  const still = edges.filter(({ isStill }) => isStill).length;
  const former = edges.length - still;
  line();
  line(`${title}: ${countText(still, 'edge')}${former === 0 ? '' : `, and ${former} earlier`}`);
  for (const edge of edges) {
    const { effect, before, after, reason, client, scopes, replaces, since, until, isStill, heldBy } = edge;
    const color = isBreaking(edge) ? colors.red : colors.green;
    line(`  ${isStill ? color(effect) : colors.dim(effect)}  ${colors.bold(printable(edgeName(edge)))}`);
    line(`    ${accessText(before)} => ${accessText(after)}`);
    const who = client === undefined ? [] : [`${client.provider}/${client.clientId} (${client.actorKind})`];
    const by = [reason, ...who, ...(scopes.length === 0 ? [] : [`scopes ${scopes.join(' ')}`])];
    line(`    ${printable(by.join(', '))}`);
    if (replaces !== undefined) line(`    replaces ${printable(replaces)}, which decides now`);
    if (heldBy !== undefined) line(`    ${colors.yellow('held')}     first, by ${heldBy}`);
    if (since !== undefined) line(`    since    ${citation(since)}`);
    if (!isStill)
      line(`    ended    ${until ?? 'not planned any more; the decision log does not say since when'}`);
  }
}

function printObjects(objects: readonly TrialObject[], { line, colors }: Screen): void {
  line();
  line(`Enforcing would take away logins, rights or tokens in Consul: ${objects.length}`);
  const rows = objects.map(({ kind, name, reason, heldBy, ...whose }) => [
    aclKindText(kind),
    colors.bold(printable(name)),
    reason,
    byText(whose),
    heldBy === undefined ? '' : colors.yellow(`held first, by ${heldBy}`),
  ]);
  for (const row of columns(rows)) line(`  ${row}`);
}

const TITLES: Readonly<Record<RequestOutcome, string>> = {
  refused: 'enforcing would refuse now',
  former: 'enforcing would have refused then, and would not now',
  closed: 'Consul refuses now without scopemesh',
  unclear: 'a header, a token or an expression decides',
  foreign: 'pass only through intentions of others or the default policy',
};

function printRequests(counts: RequestCounts, { line, colors }: Screen): void {
  const { lines, judged, refusedAlready, notJudged, groups, notListed } = counts;
  line();
  line(`Requests: ${lines} lines, ${judged} judged, ${refusedAlready} refused already`);
  for (const { why, count } of notJudged) line(colors.dim(`  ${count} not judged: ${why}`));
  for (const outcome of REQUEST_OUTCOMES) {
    const found = groups.filter((group) => group.outcome === outcome);
    const total = found.reduce((sum, { count }) => sum + count, notListed[outcome]);
    if (outcome !== 'refused' && total === 0) continue;
    line(`  ${outcome === 'refused' && total > 0 ? colors.red(String(total)) : total} ${TITLES[outcome]}`);
    const rows = found
      .slice(0, MAX_ROWS)
      .map(({ count, method, pathPrefix, lastSeen, by, ...edge }) => [
        String(count),
        printable(edgeName(edge)),
        printable(method === null ? 'connection' : `${method} ${pathPrefix}`),
        lastSeen === null ? '' : `last ${lastSeen}`,
        by === undefined ? '' : printable(`by ${by}`),
      ]);
    for (const row of columns(rows)) line(`    ${row}`);
    const more = found.length - rows.length;
    if (more > 0) line(`    and ${more} more groups: see --json`);
  }
}
