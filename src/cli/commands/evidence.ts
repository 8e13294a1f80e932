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
import type { Cli } from '../cli.js';
import type { DocumentedCommand } from '../documented-command.js';
import { instantIn, parsePastInstant } from '../instant.js';
import { writePrivateFiles } from '../private-files.js';
import { printable } from '../terminal/screen.js';
import { type TrailOptions, withTrail, withTrailOptions } from '../with-trail.js';
import { ofLog, verifyRecords } from './decisions-verify.js';

interface Options extends TrailOptions {
  readonly from: string;
  readonly to?: string;
  readonly out: string;
  readonly key?: readonly string[];
}

/** A message for each decision would take longer than its hash. */
const REPORT_EACH = 1_000;

export function addEvidence(program: DocumentedCommand, cli: Cli): void {
  withTrailOptions(program.command('evidence'))
    .summary('write a report of a period for an audit')
    .description(
      'Writes from the decision log who had which access, who joined, moved and left, how long revocations took, what ' +
        'was held, approved and rejected, the exceptions, and whether the log is intact: as a page for print, as CSV ' +
        'and as JSON. The same log gives the same bytes.',
    )
    .requiredOption('--from <when>', 'an instant (2026-01-01T00:00:00Z) or an age (90d)', parsePastInstant)
    .option(
      '--to <when>',
      'an instant or an age; default: now, or where the local index of a topic ends',
      parsePastInstant,
    )
    .requiredOption('--out <directory>', 'where the files are written; it is created')
    .option('--key <file...>', 'the public key of the log; default: trail-key.pub in state.directory')
    .endHelp(`
Exit status: 0 if the report is written, even if the log is not proven: the report says so; 1 on error.

Example:
  scopemesh evidence --from 2026-01-01T00:00:00Z --to 2026-04-01T00:00:00Z --out evidence-q1`)
    .action((options: Options) => writeEvidence(options, cli));
}

async function writeEvidence(options: Options, cli: Cli): Promise<void> {
  const { from, out, key } = options;
  const settings = await cli.openLogSettings();
  const { owner } = settings;
  const { evidence, size } = await withTrail(cli, options, async (trail) => {
    const to = options.to ?? (await endOf(trail));
    if (from > to) throw configError('--from must be before --to');
    return { evidence: await collectEvidence(trail, { owner, from, to }), size: await sizeOf(trail) };
  });
  const exported = new PeriodExport(evidence.period);
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
  const files = evidenceFiles(evidence, integrity, { accessText, events: exported.events() });
  await writePrivateFiles(out, files, { overwrite: true });
  if (options.json)
    return cli.screen.json({
      out,
      ...evidence.period,
      files: [...files.keys()],
      verified: integrity.verified,
    });
  cli.screen.line(printable(`wrote ${files.size} files to ${out}; open ${join(out, 'report.html')}`));
  if (!integrity.verified) cli.screen.warn('scopemesh: the log is not proven; the report says why');
}

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
