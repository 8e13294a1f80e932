// Who may call whom, from scopemesh's topic of decisions: prints a line for each change.
//
//   node access-table.mjs BROKER TOPIC trail-key.pub...
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { consumeDecisions } from 'scopemesh/decisions';

const [broker = 'localhost:9092', topic = 'scopemesh.decisions', ...keyFiles] = process.argv.slice(2);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort());

/** The newest decision of each edge that says what it is now. */
const newest = new Map();

await consumeDecisions(
  // The table is in memory: a group of its own reads the topic from its beginning at each start.
  {
    brokers: [broker],
    topic,
    // Anybody who may write to the topic can add messages: only what these keys signed is a decision.
    keys: keyFiles.map((file) => readFileSync(file, 'utf8')),
    groupId: `access-table-${randomUUID()}`,
    onInvalid: (error) => console.error(error.message),
  },
  (decision) => {
    const { outcome, reason, resource, subject, after } = decision;
    // Somebody else may have ended an edge that nothing wanted any more, and a new log begins with what was there.
    const isMade = outcome === 'applied' || reason === 'RemovedElsewhere' || reason === 'Found';
    if (!isMade || resource.kind !== 'intention') return;
    // Kafka gives a decision again when the members of a group change.
    if (!isNewer(decision, newest.get(subject))) return;
    newest.set(subject, decision);
    console.log(
      JSON.stringify({ source: resource.source, destination: resource.destination, access: after }),
    );
  },
  stop.signal,
);

function isNewer(decision, known) {
  if (known === undefined) return true;
  // A lost store begins another log, and `revision` counts from 1 again.
  if (decision.chain?.log === known.chain?.log) return decision.revision > known.revision;
  return decision.time >= known.time;
}
