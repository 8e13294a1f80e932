import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../src/clock.js';
import { answerQuestion, isBadQuestion } from '../src/daemon/answer-question.js';
import { type CallGate, inCall, inCalls } from '../src/daemon/call-gate.js';
import type { FromThread, LocalTrail, ToThread } from '../src/daemon/questions.js';
import { openEmbeddedTrail } from '../src/decisions/embedded/embedded-trail.js';
import { messageOf } from '../src/errors.js';
import type { IntentionEntry } from '../src/model/intention.js';
import { noMetrics, silentLogger } from '../src/observe.js';
import { openOnce } from '../src/open-once.js';

// The thread of `createQuestions`, which runs one question at a time. It ends when it is terminated.
const post = (message: FromThread) => parentPort?.postMessage(message);
const logger = { ...silentLogger, warn: (fields: object, warning: string) => post({ fields, warning }) };
const runtime = { clock: systemClock, logger, metrics: noMetrics };
try {
  // On Linux each thread has a priority of its own: on a busy machine revocations go first. A third of theirs.
  setPriority(Number(basename(readlinkSync('/proc/thread-self'))), 5);
} catch {
  // Elsewhere it has that of the process.
}
const { gate, ...trail }: LocalTrail & { readonly gate: CallGate } = workerData;
// Without what else `wire` loads, which takes ten times as long.
const openTrail = openOnce(() =>
  inCalls(gate, () => openEmbeddedTrail({ ...runtime, ...trail, inCall: (call) => inCall(gate, call) })),
);
let entries: (readonly [string, IntentionEntry])[] = [];

parentPort?.on('message', (message: ToThread) => {
  if ('entries' in message) {
    entries.push(...message.entries);
    return;
  }
  const { mesh, ...question } = message.question;
  const all = mesh === undefined ? {} : { mesh: { ...mesh, entries: new Map(entries) } };
  entries = [];
  answerQuestion(openTrail, { ...question, ...all }).then(
    (answer) => post({ answer }),
    (error: unknown) => post({ fault: messageOf(error), isBadQuestion: isBadQuestion(error) }),
  );
});
