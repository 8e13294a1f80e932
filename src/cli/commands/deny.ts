import { DENY_DOCUMENT } from '../../app/documents.js';
import { argument, defineCommand, flag, option, required } from '../command.js';
import { askDaemon } from '../daemon-client.js';
import { parseFor, parseReason } from '../option-values.js';
import { denyLine } from '../terminal/ruling-text.js';

export const deny = defineCommand({
  name: 'deny',
  summary: 'close one edge at once, whatever the identity provider says',
  description:
    'Closes the edge from SOURCE to DESTINATION for some time, also where only an intention of somebody else for a wildcard ' +
    'opens it. At its end the edge is what the identity provider grants then. The decisions name you.',
  takes: {
    source: argument('the calling service'),
    destination: argument('the called service'),
    for: option('<duration>', 'deny it for this time, such as 2h', parseFor(31, '2h')),
    end: flag('end the deny of this edge before its time'),
    reason: required('<text>', 'why, such as a ticket; decisions repeat it', parseReason),
  },
  json: DENY_DOCUMENT,
  exit: '0; 1 if it is refused.',
  notes: `A deny of the same edge prolongs the one in effect, and never shortens it. With guards.approvers: 2 two
persons must give --end. An intention that somebody else made for this very edge is not changed, and
the deny is refused then. For everything that a client does: scopemesh quarantine.`,
  examples: [
    'scopemesh deny web orders --for 2h --reason INC-4711',
    'scopemesh deny web orders --end --reason "INC-4711 is solved"',
  ],
  faultOf: (given) =>
    (given.for === undefined) === (given.end === undefined) ? 'give --for or --end' : undefined,
  ask({ source, destination, reason, for: forMs }, cli) {
    const about = { source, destination, reason };
    return forMs === undefined
      ? askDaemon(cli, '/api/denies/end', about, DENY_DOCUMENT)
      : askDaemon(cli, '/api/denies', { ...about, forSeconds: forMs / 1000 }, DENY_DOCUMENT);
  },
  print(document, { screen }) {
    screen.text(denyLine(document.deny));
    if (document.needsSecond === true) screen.line('another person must end it too');
  },
});
