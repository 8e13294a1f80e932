import { z } from 'zod';
import { ROLES } from '../../app/run-daemon.js';
import { durationText } from '../terminal/duration-text.js';
import { printable } from '../terminal/screen.js';
import { type Finding, namesText, notice, ok, warning } from './finding.js';

export const ReplicaView = z.object({
  replica: z.string(),
  version: z.string(),
  parts: z.array(z.string()),
  leader: z.boolean(),
  seenSeconds: z.number(),
  mapping: z.object({ mode: z.string(), revision: z.string() }),
});
type ReplicaView = z.infer<typeof ReplicaView>;

/** What the replicas of the running daemon do together. */
export function replicaFindings(replicas: readonly ReplicaView[]): readonly Finding[] {
  // A daemon that started just now is not listed yet.
  if (replicas.length === 0) return [];
  const missing = ROLES.filter((part) => !replicas.some(({ parts }) => parts.includes(part)));
  const versions = [...new Set(replicas.map(({ version }) => version))].toSorted();
  const mappings = new Set(replicas.map(({ mapping }) => mapping.revision));
  const names = namesText(replicas.map(replicaText));
  return [
    missing.length === 0
      ? ok('replicas', `the replicas run every part: ${names}`)
      : warning(
          'replicas',
          `no replica runs ${namesText(missing)}: ${names}`,
          'start scopemesh run without --only, or with the missing parts, on one more machine',
        ),
    ...(mappings.size > 1
      ? [
          warning(
            'replicas.mappings',
            `the replicas have different mappings, so access depends on which one leads: ${namesText(replicas.map(mappingText))}`,
            'give every replica the same file, and restart it or send SIGHUP; docs/how-to/run-replicas.md says what is held meanwhile',
          ),
        ]
      : []),
    ...(versions.length > 1
      ? [
          notice(
            'replicas.versions',
            `the replicas have different versions: ${namesText(versions.map(printable))}`,
            'finish the upgrade: restart those with the older version',
          ),
        ]
      : []),
  ];
}

function mappingText({ replica, mapping }: ReplicaView): string {
  return printable(`${replica} (${mapping.mode}, ${mapping.revision.slice(0, 'sha256:'.length + 12)})`);
}

function replicaText({ replica, version, parts, leader, seenSeconds }: ReplicaView): string {
  const runs = ROLES.every((part) => parts.includes(part)) ? [] : [`only ${parts.join(',')}`];
  const about = [version, ...(leader ? ['leads'] : []), ...runs, `seen ${durationText(seenSeconds)} ago`];
  return printable(`${replica} (${about.join(', ')})`);
}
