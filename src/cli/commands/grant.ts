import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { GRANT_DOCUMENT, GRANTS_DOCUMENT, GRANTS_STATUS } from '../../app/documents.js';
import { toSegment } from '../../model/segment.js';
import { toShellWord } from '../../model/shell-word.js';
import { METHOD } from '../../operator/stored-break-glass.js';
import { argument, defineCommand, defineGroup, flag, option, required } from '../command.js';
import { askDaemon, runningDaemon, statusOf } from '../daemon-client.js';
import { parseFor, parseReason } from '../option-values.js';
import { breakGlassLine } from '../terminal/ruling-text.js';

const open = defineCommand({
  name: 'open',
  isDefault: true,
  summary: 'open an edge for some time',
  description:
    'Opens the edge from SOURCE to DESTINATION. The decisions name you. With guards.approvers: 2 it opens when another ' +
    'person approves it: scopemesh approve ID. The word open may be left out.',
  takes: {
    source: argument('the calling service'),
    destination: argument('the called service'),
    for: required('<duration>', 'close it after this time, such as 2h', parseFor(31, '2h')),
    reason: required('<text>', 'why, such as a ticket; decisions and reminders repeat it', parseReason),
    method: option('<method>', 'only this HTTP method; may be repeated', parseMethod),
    path: option('<path>', 'only this path and everything under it', (text) => text),
    duringFreeze: flag('open it also during a freeze'),
  },
  json: GRANT_DOCUMENT,
  exit: '0, also while it waits for a second person; 1 if it is refused.',
  notes: `A service that guards.protected lists, a client in quarantine, and an intention that somebody else
wrote are never opened by it.`,
  examples: [
    'scopemesh grant web orders --for 2h --reason INC-4711',
    'scopemesh grant web orders --method GET --path /v1/orders --for 30m --reason INC-4711',
  ],
  ask({ source, destination, for: forMs, reason, method: methods, path, duringFreeze }, cli) {
    const body = { source, destination, reason, forSeconds: forMs / 1000, methods, path, duringFreeze };
    return askDaemon(cli, '/api/break-glass', body, GRANT_DOCUMENT);
  },
  print({ grant, heldBy }, { screen }) {
    screen.text(breakGlassLine(grant));
    if (grant.state === 'asked')
      screen.text(`another person opens it within an hour: scopemesh approve ${toShellWord(grant.id)}`);
    if (heldBy !== null) screen.warn(`scopemesh: the edge stays closed for now: ${heldBy}`);
  },
});

const list = defineCommand({
  name: 'list',
  summary: 'show the break-glass grants',
  description: 'Shows every break-glass grant that is open, waits for a second person, or is being closed.',
  takes: {},
  json: GRANTS_DOCUMENT,
  exit: '0; 1 on error.',
  ask: async (_, cli) => ({ grants: statusOf(await runningDaemon(cli), GRANTS_STATUS).breakGlass }),
  print({ grants }, { screen }) {
    if (grants.length === 0) screen.line('no break-glass grant is open');
    for (const each of grants) screen.text(breakGlassLine(each));
  },
});

const end = defineCommand({
  name: 'end',
  summary: 'close a break-glass grant before its time',
  description: 'Closes the edge of a break-glass grant at once, or drops a request for one.',
  takes: {
    id: argument('the ID, as scopemesh grant list prints it'),
    reason: required('<text>', 'why; the decision repeats it', parseReason),
  },
  json: z.object({ grant: GRANT_DOCUMENT.shape.grant }),
  exit: '0; 1 if no such grant is open.',
  async ask({ id, reason }, cli) {
    const path = `/api/break-glass/${toSegment(id)}/end`;
    const unknown = `no break-glass grant has the ID ${id}; it may be over`;
    const { grant } = await askDaemon(cli, path, { reason }, GRANT_DOCUMENT, unknown);
    return { grant };
  },
  print: ({ grant }, { screen }) => screen.text(breakGlassLine(grant)),
});

export const grant = defineGroup(
  'grant',
  {
    summary: 'break-glass: open an edge for some time that the identity provider does not grant',
    description:
      'Opens an edge although no scope of the identity provider does, and closes it at the end of its time, also after ' +
      'restarts and changes of the leader. guards.breakGlass must allow it.',
  },
  [open, list, end],
);

function parseMethod(text: string, before: readonly string[] = []): readonly string[] {
  if (METHOD.test(text)) return [...before, text];
  throw new InvalidArgumentError('write a method in capitals, such as GET');
}
