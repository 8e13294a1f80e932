import type { DecisionLogSettings } from '../../app/adapter-factory.js';
import { parseCheckpointEvent } from '../../decisions/checkpoint.js';
import { parseJson } from '../../decisions/envelope.js';
import { proveExtension, proveInclusion } from '../../decisions/proofs.js';
import { configError, invalidEvent } from '../../errors.js';
import type { Cli } from '../cli.js';
import { defineCommand, option, optionalArgument } from '../command.js';
import { readInput } from '../input-file.js';
import { readChain, readDecisionLog } from '../read-decision-log.js';

export const prove = defineCommand({
  name: 'prove',
  summary: 'print a proof that one decision is in the log, or that the log extends a checkpoint',
  description:
    'Prints a proof that a decision is in the signed log. It shows this decision and none of the others. With --extends: a ' +
    'proof that the present log begins with all decisions that an earlier checkpoint signs.',
  takes: {
    id: optionalArgument('the ID of the decision'),
    extends: option('<file>', 'a checkpoint that decisions checkpoint wrote earlier'),
  },
  examples: [
    'scopemesh decisions prove 01JABCDEFGHJKMNPQRSTVWXYZ0 > proof.json',
    'scopemesh decisions verify --proof proof.json --key trail-key.pub',
    'scopemesh decisions prove --extends checkpoint.txt > extends.json',
    'scopemesh decisions verify --proof extends.json --checkpoint checkpoint.txt --key trail-key.pub',
  ],
  async run({ id, extends: path }, cli) {
    if ((id === undefined) === (path === undefined))
      throw configError('give either the ID of a decision or --extends FILE');
    const note = path === undefined ? undefined : await readInput(path, '--extends', 'checkpoint');
    const events = eventsInOrder(await cli.openLogSettings(), cli);
    const proof = note === undefined ? proveInclusion(events, id ?? '') : proveExtension(events, note);
    cli.screen.json(await proof);
  },
});

export const checkpoint = defineCommand({
  name: 'checkpoint',
  summary: 'print the newest signed checkpoint, to keep it elsewhere',
  description:
    'Prints the newest checkpoint: a signed note with the number of decisions and the root of the tree over them. Keep it on ' +
    'another machine: decisions prove --extends shows later that nothing before it was changed or removed.',
  examples: ['scopemesh decisions checkpoint > checkpoint.txt'],
  async run(_, cli) {
    let note: string | undefined;
    for await (const event of eventsInOrder(await cli.openLogSettings(), cli)) {
      const found = parseCheckpointEvent(parseJson(event));
      if (found !== undefined && found.tree.size > 0) note = found.note;
    }
    if (note === undefined)
      throw invalidEvent(
        'the log has no checkpoint yet; scopemesh signs one every minute with decisions, and at a clean stop',
      );
    cli.screen.line(note.trimEnd());
  },
});

export const exportLog = defineCommand({
  name: 'export',
  summary: 'print all decisions and checkpoints, for decisions verify',
  description: 'Prints the events of the log as they are stored, decisions and checkpoints, one per line.',
  examples: ['scopemesh decisions export > decisions.jsonl'],
  async run(_, cli) {
    for await (const event of eventsInOrder(await cli.openLogSettings(), cli)) cli.screen.line(event);
  },
});

async function* provenEvents(settings: DecisionLogSettings, cli: Cli): AsyncIterable<string> {
  for await (const each of readChain(settings, cli, (event, { kind }) => ({ event, kind })))
    if (each.kind !== 'unproven') yield each.event;
}

function eventsInOrder(settings: DecisionLogSettings, cli: Cli): AsyncIterable<string> {
  if (settings.decisions.kind === 'kafka') return provenEvents(settings, cli);
  const options = { from: 'start', follow: false } as const;
  return readDecisionLog(settings, cli, false, (log) => log.readEvents(options, cli.signal));
}
