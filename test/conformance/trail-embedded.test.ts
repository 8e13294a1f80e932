import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { copyTopic } from '../../src/decisions/embedded/topic-copy.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { verifier } from '../support/signed-log.js';
import { trailOf } from '../support/trail-history.js';
import { createIndexRig, partsOf } from '../support/trail-index.js';
import { describeTrail } from './trail.js';

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-trails-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

describeTrail('of the embedded log', (decisions) => trailOf(scratch(), decisions));

describeTrail('of a copy of a topic', (decisions) =>
  copyTopic(
    { check: async () => {}, readParts: async () => partsOf(decisions.toReversed()) },
    { logger: silentLogger, metrics: noMetrics, clock: systemClock, verifiers: [verifier] },
    new AbortController().signal,
  ),
);

describeTrail('of the index of a topic', async (decisions) => {
  const rig = createIndexRig(scratch());
  await rig.take(partsOf(decisions.toReversed()));
  return rig.trail();
});
