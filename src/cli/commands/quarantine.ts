import { CLIENT_DOCUMENT } from '../../app/documents.js';
import { toSegment } from '../../model/segment.js';
import { argument, defineCommand, required } from '../command.js';
import { askDaemon } from '../daemon-client.js';
import { parseReason } from '../option-values.js';

export const quarantine = defineCommand({
  name: 'quarantine',
  summary: 'close everything of one OAuth client at once',
  description:
    'Puts the client in quarantine, as a report of a compromised secret does: its edges and its ACL objects are closed, and ' +
    'nothing opens, until its secret is seen rotated or scopemesh approve PROVIDER/CLIENT-ID releases it. The decision ' +
    'names you.',
  takes: {
    client: argument('PROVIDER/CLIENT-ID'),
    reason: required('<text>', 'why, such as a ticket; the decision repeats it', parseReason),
  },
  json: CLIENT_DOCUMENT,
  exit: '0 once the order is stored; 1 if it is refused.',
  examples: ['scopemesh quarantine main/web-app --reason INC-4711'],
  faultOf: ({ client }) => (client.indexOf('/') < 1 ? 'write PROVIDER/CLIENT-ID' : undefined),
  ask({ client, reason }, cli) {
    const slash = client.indexOf('/');
    const id = [client.slice(0, slash), client.slice(slash + 1)].map(toSegment).join('/');
    return askDaemon(cli, `/api/quarantines/${id}`, { reason }, CLIENT_DOCUMENT);
  },
  print({ provider, clientId }, { screen }, { reason }) {
    screen.text(`quarantine of ${provider}/${clientId} ordered: ${reason}`);
  },
});
