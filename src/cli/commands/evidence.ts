import { join } from 'node:path';
import { accessText } from '../../app/access-text.js';
import type { Trail } from '../../decisions/trail.js';
import { configError } from '../../errors.js';
import { refuseBehind } from '../../trail/answer.js';
import { evidenceFiles } from '../../trail/evidence/evidence-files.js';
import { collectEvidence } from '../../trail/evidence/evidence-report.js';
import type { Integrity } from '../../trail/evidence/integrity.js';
import { PeriodExport } from '../../trail/evidence/period-export.js';
import { listDecisions } from '../../trail/list-decisions.js';
import { defineCommand, files, option, required } from '../command.js';
import { instantIn, parsePastInstant } from '../instant.js';
import { writePrivateFiles } from '../private-files.js';
import { FROM_TOPIC, withTrail } from '../with-trail.js';
import { ofLog, verifyRecords } from './decisions-verify.js';

/** A message for each decision would take longer than its hash. */
const REPORT_EACH = 1_000;

export const evidence = defineCommand({
  name: 'evidence',
  summary: 'write a report of a period for an audit',
  description:
    'Writes from the decision log who had which access, who joined, moved and left, how long revocations took, what ' +
    'was held, approved and rejected, the exceptions, and whether the log is intact: as a page for print, as CSV ' +
    'and as JSON. The same log gives the same bytes.',
  takes: {
    fromTopic: FROM_TOPIC,
    from: required('<when>', 'an instant (2026-01-01T00:00:00Z) or an age (90d)', parsePastInstant),
    to: option(
      '<when>',
      'an instant or an age; default: now, or where the local index of a topic ends',
      parsePastInstant,
    ),
    out: required('<directory>', 'where the files are written; it is created'),
    key: files('the public key of the log; default: trail-key.pub in state.directory'),
  },
  json: 'print one JSON document',
  exit: '0 if the report is written, even if the log is not proven: the report says so; 1 on error.',
  examples: ['scopemesh evidence --from 2026-01-01T00:00:00Z --to 2026-04-01T00:00:00Z --out evidence-q1'],
  async ask({ from, to: until, out, key, fromTopic }, cli) {
    const settings = await cli.openLogSettings();
    const { owner } = settings;
    const { collected, size } = await withTrail(cli, { fromTopic }, async (trail) => {
      const to = until ?? (await endOf(trail));
      if (from > to) throw configError('--from must be before --to');
      return { collected: await collectEvidence(trail, { owner, from, to }), size: await sizeOf(trail) };
    });
    const exported = new PeriodExport(collected.period);
    let count = 0;
    const checked = await ofLog(settings, { key }, cli, (event, record) => {
      exported.add(event, record);
      if (record.kind === 'decision' && count++ % REPORT_EACH === 0)
        cli.context.report?.({ checked: count, of: size });
    });
    const report = await verifyRecords(checked);
    // A read that a signal ended has only a part of the log.
    cli.signal.throwIfAborted();
    const signaturesChecked = checked.verifiers.length > 0;
    const verified = report.fault === undefined && signaturesChecked && report.decisions > 0;
    const integrity: Integrity = { ...report, signaturesChecked, verified };
    const made = evidenceFiles(collected, integrity, { accessText, events: exported.events() });
    await writePrivateFiles(out, made, { overwrite: true });
    return { out, ...collected.period, files: [...made.keys()], verified };
  },
  print({ out, verified, files: { length } }, { screen }) {
    screen.text(`wrote ${length} files to ${out}; open ${join(out, 'report.html')}`);
    if (!verified) screen.warn('scopemesh: the log is not proven; the report says why');
  },
});

/** By the places in the chain; null: not known. */
async function sizeOf(trail: Trail): Promise<number | null> {
  if ((await trail.extent()).isCut) return null;
  const { decisions } = await listDecisions(trail, {}, { limit: 1 });
  return decisions[0]?.chain?.sequence ?? null;
}

/** Now, or the end of an index that follows a topic, which is some seconds ago. */
async function endOf(trail: Trail): Promise<string> {
  const extent = await trail.extent();
  refuseBehind(extent);
  return extent.index?.until ?? instantIn(trail, undefined);
}
