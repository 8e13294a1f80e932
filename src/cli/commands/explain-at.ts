import { isAllowed } from '../../plan/explain.js';
import { type CallAnswer, callAt } from '../../trail/call-at.js';
import type { Cli } from '../cli.js';
import { residualTexts } from '../terminal/residual-text.js';
import { printable } from '../terminal/screen.js';
import { printEdge, printLimits } from '../terminal/trail-text.js';
import { withTrail } from '../with-trail.js';

export const NOT_ALLOWED = 4;

/** Whether a call was allowed at a past instant, from the decision log. */
export async function explainAt(
  call: {
    readonly source: string;
    readonly destination: string;
    readonly method?: string | undefined;
    readonly path?: string | undefined;
    readonly at: string;
    readonly fromTopic?: true;
    readonly json?: true;
  },
  cli: Cli,
): Promise<void> {
  const { source, destination, method = 'GET', path, at } = call;
  const request = path === undefined ? undefined : { method, path };
  const answer = await withTrail(cli, call, (trail) => callAt(trail, { source, destination, request }, at));
  if (call.json) cli.screen.json({ allowed: isAllowed(answer.verdict), ...answer });
  else print(answer, cli);
  if (!isAllowed(answer.verdict)) cli.exit(NOT_ALLOWED);
}

const WORDS: Readonly<Record<CallAnswer['verdict'], string>> = {
  allowed: 'ALLOWED',
  partly: 'ALLOWED for some requests',
  'with-token': "ALLOWED with a user's token",
  denied: 'NOT ALLOWED by scopemesh',
  unclear: 'UNCLEAR',
};

function print(answer: CallAnswer, { screen }: Cli): void {
  const { edge, verdict, source, destination } = answer;
  screen.line(screen.colors.bold(printable(`${source} -> ${destination}: ${WORDS[verdict]}`)));
  if (edge === undefined) screen.line('the log has no decision about this pair');
  else {
    printEdge(edge, screen);
    for (const text of residualTexts(edge.residual ?? {})) screen.line(printable(`    remains  ${text}`));
    screen.line(printable(`    mapping  ${edge.mappingRevision}`));
  }
  printLimits(answer, screen);
}
