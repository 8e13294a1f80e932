import { accessText } from '../../app/access-text.js';
import { accessDiff, type DiffKind, type EdgeDiff } from '../../trail/access-diff.js';
import type { Cli } from '../cli.js';
import { argument, defineCommand, defineGroup, optionalArgument } from '../command.js';
import { instantIn, parsePastInstant } from '../instant.js';
import { type Colors, printable } from '../terminal/screen.js';
import { citation, edgeName, printLimits } from '../terminal/trail-text.js';
import { FROM_TOPIC, withTrail } from '../with-trail.js';

const diff = defineCommand({
  name: 'diff',
  summary: 'show the edges that came, went, widened or narrowed',
  description:
    'Shows from the decision log the edges that came, went, widened or narrowed between two instants.',
  takes: {
    from: argument('an instant (2026-01-31T12:00:00Z) or an age (10m, 2h, 1d)', parsePastInstant),
    to: optionalArgument('the same; default: now', parsePastInstant),
    fromTopic: FROM_TOPIC,
  },
  json: 'print one JSON document',
  examples: [
    'scopemesh access diff 1d',
    'scopemesh access diff 2026-01-01T00:00:00Z 2026-02-01T00:00:00Z --json',
  ],
  ask: (given, cli) =>
    withTrail(cli, given, async (trail) => accessDiff(trail, given.from, await instantIn(trail, given.to))),
  print(answer, cli) {
    if (answer.edges.length === 0) cli.screen.line('no edge differs');
    for (const edge of answer.edges) print(edge, cli);
    printLimits(answer, cli.screen);
  },
});

export const access = defineGroup(
  'access',
  {
    summary: 'compare who may call whom at two instants',
    description: 'Compares who may call whom at two instants.',
  },
  [diff],
);

function print({ kind, before, after, decisions, ...edge }: EdgeDiff, { screen }: Cli): void {
  const { colors } = screen;
  const word = colors[COLOR[kind]](kind.padEnd(8));
  screen.line(
    `${word}  ${colors.bold(printable(edgeName(edge)))}  ${accessText(before?.access)} => ${accessText(after?.access)}`,
  );
  for (const each of decisions) screen.line(`    ${citation(each)}`);
}

const COLOR = {
  came: 'green',
  widened: 'green',
  went: 'red',
  narrowed: 'red',
  changed: 'yellow',
  unclear: 'yellow',
} as const satisfies Record<DiffKind, keyof Colors>;
